//! What must be known before planning: which releases the input means, as the server has them.

mod home;
mod notes;
mod references;
mod service;
mod trial;
mod versioned;

pub(crate) use references::looked_for;

use crate::{
    api::CallError,
    manifest::{Manifest, Manifests, is_cluster_wide, merge::last_applied, order::sort_to_apply},
    namespace::Namespace,
    objects::{Entry, is_secret, kind_name, seal},
    shared::Shared,
    state::Key,
};
use deploy_compose::Problem;
use deploy_core::{
    model::{Object, ObjectRef, Payload, ReleaseId, ServiceName, ServiceSpec},
    target::TargetError,
};
use futures_util::future::try_join_all;
use serde_json::Value;
use service::{Surroundings, service};
use std::collections::BTreeMap;
use versioned::Configs;

/// What a plan is made from.
#[derive(Clone)]
pub struct Prepared {
    /// What is to run.
    pub services: Vec<ServiceSpec>,
    /// The configurations, secrets included: for the target's own store only.
    pub payloads: BTreeMap<ReleaseId, Payload>,
    /// What people should know of the input as a whole.
    pub notes: Vec<String>,
}

/// Why an input can't be planned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The server doesn't accept an object.
    #[error("{at}: expected an object that the cluster accepts, but found {object}: {said}")]
    Refused {
        /// Where it is in the input.
        at: String,
        /// Which one.
        object: String,
        /// The server's words.
        said: String,
    },
    /// The cluster knows no such kind, and nothing in the input defines it.
    #[error(
        "{at}: expected a kind that the cluster knows, but found {kind} of {api_version}; look at `kubectl api-resources`"
    )]
    UnknownKind {
        /// Where it is in the input.
        at: String,
        /// The kind.
        kind: String,
        /// Its group and version.
        api_version: String,
    },
    /// An object is there already, and can't become what the input says.
    #[error(
        "{at}: expected a change of {object} that the cluster accepts, but it said: {said}; give it another name{}",
        if kind == "persistentvolumeclaim" { String::new() } else { format!(", or run `kubectl delete {kind} {name}` first") }
    )]
    Immutable {
        /// Where it is in the input.
        at: String,
        /// Which one.
        object: String,
        /// The fields, and the server's words.
        said: String,
        /// Its kind, as `kubectl` takes it.
        kind: String,
        /// Its name.
        name: String,
    },
    /// Nothing in it is a Deployment.
    #[error(
        "expected at least one Deployment in the input, but found none; `kubectl apply` does what is to be done with the rest"
    )]
    NoDeployment,
    /// A Deployment that can't be deployed as it stands.
    #[error("expected a Deployment that may be rolled out, but found {service}: {why}")]
    Unsuitable {
        /// Which one.
        service: String,
        /// Why not, and what to do.
        why: String,
    },
    /// A Deployment's pods refer to what is neither in the input nor in the namespace.
    #[error("{}", .problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
    Missing {
        /// The references, each with its place and what to do.
        problems: Vec<Problem>,
    },
    /// The namespace isn't there, and not in the input.
    #[error(
        "expected the namespace {name}, but the cluster has none of that name; run `kubectl create namespace {name}`, or put \
         it into the input"
    )]
    NoNamespace {
        /// Its name.
        name: String,
    },
    /// The cluster couldn't be asked.
    #[error(transparent)]
    Target(#[from] TargetError),
}

impl Namespace {
    /// What an engine is asked so that this input runs. The server is asked what it would make of each Deployment; nothing
    /// is changed, but that the namespace gets the key of the releases' names, and is made where it isn't there and is itself
    /// in the input. Whether the deployment will be allowed what it needs is asked by [`Namespace::may`], before this.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub async fn prepare(&self, manifests: &Manifests) -> Result<Prepared, PrepareError> {
        self.shared.prepare(manifests).await
    }
}

impl Shared {
    async fn prepare(&self, manifests: &Manifests) -> Result<Prepared, PrepareError> {
        let is_deployment = |one: &&Manifest| one.group() == "apps" && one.kind() == "Deployment";
        let deployments: Vec<_> = manifests.objects().iter().filter(is_deployment).collect();
        if deployments.is_empty() {
            return Err(PrepareError::NoDeployment);
        }
        let kinds: BTreeMap<_, _> = manifests.objects().iter().rev().map(|one| (one.kind_in_full(), one)).collect();
        try_join_all(kinds.into_values().map(|one| self.is_known(one, manifests.objects()))).await?;
        let (key, home) = self.key_at_home(manifests).await?;
        let mut others: Vec<_> = manifests.objects().iter().filter(|one| !is_deployment(one)).collect();
        sort_to_apply(&mut others, |one| (one.group(), one.kind()));
        let mut secrets = BTreeMap::new();
        let objects: Vec<_> = others.iter().map(|one| self.object(one, &key, &mut secrets)).collect();
        let tried = others.iter().zip(&objects).filter(|(one, _)| trial::is_tried(one));
        try_join_all(tried.map(|(one, object)| self.try_object(one, object))).await?;
        self.meant.lock().await.replace(objects.iter().map(Entry::of).collect());
        let mut configs = Configs::default();
        manifests.objects().iter().for_each(|one| configs.add(&self.meant(one)));
        // what nothing may refer to needn't be looked at
        let is_there = if configs.is_empty() { Vec::new() } else { self.applied().await? };
        let unchanged = objects.iter().filter(|object| is_there.contains(object)).filter_map(config).collect();
        let services = self.view.services().await?.all();
        let names: Vec<_> = deployments.iter().map(|one| ServiceName::new(one.name())).collect();
        let known = self.releases.of(&names).await?;
        let held = known.into_values().filter_map(|known| {
            let hold = serde_json::from_str(known.hold.as_deref()?).ok()?;
            Some((known.release.service, hold))
        });
        let around = Surroundings {
            held: held.collect(),
            objects,
            secrets,
            services,
            of: deployments.len(),
            key: &key,
            configs,
            unchanged,
            input: manifests.objects(),
        };
        let made = try_join_all(deployments.into_iter().map(|one| service(self, one, &around))).await?;
        let mut prepared = Prepared { services: Vec::new(), payloads: BTreeMap::new(), notes: Vec::from_iter(home) };
        for (spec, payload) in made {
            prepared.payloads.insert(spec.release.id.clone(), payload);
            prepared.services.push(spec);
        }
        let objects = prepared.services.iter().flat_map(|spec| &spec.objects);
        self.meant.lock().await.replace(objects.map(Entry::of).collect());
        Ok(prepared)
    }

    /// That the cluster has an object's kind, or will have it.
    async fn is_known(&self, manifest: &Manifest, input: &[Manifest]) -> Result<(), PrepareError> {
        let (kind, api_version) = (manifest.kind().to_owned(), manifest.api_version().to_owned());
        match self.kinds.find(&self.api, &api_version, &kind).await? {
            None if !input.iter().any(|one| one.defines(manifest)) => {
                Err(PrepareError::UnknownKind { at: manifest.place().to_string(), kind, api_version })
            }
            _ => Ok(()),
        }
    }

    /// An object as plans have it; what a Secret holds is put beside it.
    fn object(&self, manifest: &Manifest, key: &Key, secrets: &mut BTreeMap<String, Value>) -> Object {
        let kind = kind_name(manifest.api_version(), manifest.kind());
        let object = ObjectRef { target: self.target.clone(), kind, name: manifest.name().to_owned() };
        // as it comes back from what is noted on the object
        let spec: Value = serde_json::from_str(&last_applied(&self.meant(manifest))).unwrap_or_default();
        if !is_secret(&spec) {
            return Object { object, spec };
        }
        let (named, seal) = seal(&spec, key);
        self.seals.add(&seal, &spec);
        secrets.insert(seal, spec);
        Object { object, spec: named }
    }

    /// An object's content with the namespace that it is for.
    fn meant(&self, manifest: &Manifest) -> Value {
        match is_cluster_wide(manifest.group(), manifest.kind()) {
            Some(true) => manifest.object().clone(),
            _ => manifest.object_in(self.api.namespace()),
        }
    }
}

/// An object's kind and name, if it is one that Deployments refer to.
fn config(object: &Object) -> Option<(&'static str, String)> {
    let kind = match object.object.kind.as_str() {
        "configmap" => "ConfigMap",
        "secret" => "Secret",
        _ => return None,
    };
    Some((kind, object.object.name.clone()))
}

/// An object's name, with its kind.
fn object_name(manifest: &Manifest) -> String {
    format!("{} {}", manifest.kind(), manifest.name())
}

/// An answer about one object of the input.
fn refused(manifest: &Manifest, error: CallError) -> PrepareError {
    match &error {
        CallError::Refused { status, .. } if matches!(status.code, 400 | 403 | 404 | 422) => PrepareError::Refused {
            at: manifest.place().to_string(),
            object: object_name(manifest),
            said: status.message.clone(),
        },
        _ => PrepareError::Target(error.into()),
    }
}
