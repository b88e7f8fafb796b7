//! What our objects in a namespace are called, and the labels and annotations on them. A stored format: see ADR 0012.

use deploy_core::model::{DeploymentId, ReleaseId};
use std::collections::BTreeMap;

/// The label that tells which of our objects it is: [`JOURNAL`], [`RELEASE`] or [`KEY`].
pub(crate) const KIND: &str = "deploy-rs.github.io/kind";
/// The label that tells which service's it is.
pub(crate) const SERVICE: &str = "deploy-rs.github.io/service";
/// The label that tells which deployment's journal it is, or a part of it.
pub(crate) const DEPLOYMENT: &str = "deploy-rs.github.io/deployment";
/// The annotation with the fence of whoever wrote last, and the deployment and step that made what runs.
pub(crate) const FENCE: &str = "deploy-rs.github.io/fence";
/// The annotation by which people say that an object isn't to be waited for: [`NO_WAIT`].
pub(crate) const WAIT: &str = "deploy-rs.github.io/wait";
pub(crate) const NO_WAIT: &str = "false";
/// The annotation on a release that is held beside the next one.
pub(crate) const HOLD: &str = "deploy-rs.github.io/hold";
/// The labels of Kubernetes that tell what an object is managed by, what it belongs to, and which part of that it is.
pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const NAME: &str = "app.kubernetes.io/name";
const COMPONENT: &str = "app.kubernetes.io/component";
/// Ours: also the name under which we write fields.
pub(crate) const MANAGER: &str = "deploy";
/// What `kubectl apply` compares with.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The label by which pods of one ReplicaSet are told from those of the next.
pub(crate) const HASH: &str = "pod-template-hash";

/// A deployment's journal.
pub(crate) const JOURNAL: &str = "journal";
/// A release's payload.
pub(crate) const RELEASE: &str = "release";
/// What a Secret of the user's held before a deployment changed it.
pub(crate) const SEALED: &str = "sealed";
/// The key of the content hashes.
pub(crate) const KEY: &str = "key";

/// The lease's name.
pub(crate) const LEASE: &str = "deploy";
/// The name of the Secret with the key.
pub(crate) const KEY_SECRET: &str = "deploy-key";

/// The name of the ConfigMap that tells which objects were applied.
pub(crate) const OBJECTS: &str = "deploy-objects";

/// The labels that all objects of our own have; `component` tells which of them it is.
pub(crate) fn labels(component: &str) -> BTreeMap<String, String> {
    let all = [(MANAGED_BY, MANAGER), (NAME, MANAGER), (COMPONENT, component)];
    all.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// The same, and the one by which those of a kind are found.
pub(crate) fn labels_of(kind: &str) -> BTreeMap<String, String> {
    let mut labels = labels(kind);
    labels.insert(KIND.to_owned(), kind.to_owned());
    labels
}

/// The name of a deployment's journal.
pub(crate) fn journal(deployment: DeploymentId) -> String {
    format!("deploy-journal-{deployment}")
}

/// The name of the Secret with a release's payload.
pub(crate) fn release(release: &ReleaseId) -> String {
    format!("deploy-release-{release}")
}
