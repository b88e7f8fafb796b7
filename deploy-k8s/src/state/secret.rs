use super::key::hex;
use crate::names::{self, FENCE, HOLD, RELEASE, SERVICE};
use deploy_core::model::{Fence, Payload, Release, ReleaseId, ServiceName};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The type of the Secrets with payloads.
const TYPE: &str = "deploy-rs.github.io/release";
/// Annotations with what a release is. The full name of its service is one too, under the label's key.
const ID: &str = "deploy-rs.github.io/release";
const VERSION: &str = "deploy-rs.github.io/version";
const ARTIFACT: &str = "deploy-rs.github.io/artifact";
/// What a payload lies under.
const PAYLOAD: &str = "payload";
/// How long a label's value may be.
const LABEL: usize = 63;

/// A new Secret for a release.
pub(super) fn secret(fence: Fence, release: &Release, payload: &Payload, hold: Option<&str>) -> Secret {
    let annotations = [
        (FENCE, fence.0.to_string()),
        (ID, release.id.to_string()),
        (SERVICE, release.service.to_string()),
        (VERSION, release.version.clone()),
        (ARTIFACT, release.artifact.clone()),
    ];
    let annotations = annotations.into_iter().chain(hold.map(|hold| (HOLD, hold.to_owned())));
    let mut labels = names::labels_of(RELEASE);
    labels.insert(SERVICE.into(), label(&release.service));
    Secret {
        metadata: ObjectMeta {
            name: Some(names::release(&release.id)),
            labels: Some(labels),
            annotations: Some(annotations.map(|(key, value)| (key.into(), value)).collect()),
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.into()),
        data: Some(BTreeMap::from([(PAYLOAD.into(), ByteString(payload.expose().into()))])),
        ..Secret::default()
    }
}

/// Whose Secret that is; none where it isn't one of ours.
pub(super) fn release(metadata: &ObjectMeta) -> Option<Release> {
    let annotation = |key| metadata.annotations.as_ref()?.get(key).map(String::as_str);
    Some(Release {
        id: ReleaseId::new(annotation(ID)?),
        service: ServiceName::new(annotation(SERVICE)?),
        version: annotation(VERSION)?.into(),
        artifact: annotation(ARTIFACT)?.into(),
    })
}

/// What a release's hold says.
pub(super) fn hold(metadata: &ObjectMeta) -> Option<String> {
    metadata.annotations.as_ref()?.get(HOLD).cloned()
}

/// The fence of whoever wrote last.
pub(super) fn fence(metadata: &ObjectMeta) -> Fence {
    let fence = metadata.annotations.as_ref().and_then(|all| all.get(FENCE)?.parse().ok());
    Fence(fence.unwrap_or(0))
}

/// The payload in a Secret.
pub(super) fn payload(secret: &Secret) -> Option<Payload> {
    let bytes = &secret.data.as_ref()?.get(PAYLOAD)?.0;
    Some(Payload::new(std::str::from_utf8(bytes).ok()?))
}

/// A service's name as a label's value: itself where it can be one, else what fits of it and a hash.
pub(super) fn label(service: &ServiceName) -> String {
    let name = service.as_str();
    let is_fit = |text: &str| {
        let ends = [text.chars().next(), text.chars().last()];
        text.chars().all(|one| one.is_ascii_alphanumeric() || "-_.".contains(one))
            && ends.iter().flatten().all(char::is_ascii_alphanumeric)
    };
    if !name.is_empty() && name.len() <= LABEL && is_fit(name) {
        return name.into();
    }
    let hash = hex(&Sha256::digest(name)[..8]);
    let first = name.get(..LABEL - 1 - hash.len()).unwrap_or_default();
    if first.is_empty() || !is_fit(&format!("{first}0")) { hash } else { format!("{first}-{hash}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_label_of_its_own() {
        let label = |name: &str| label(&ServiceName::new(name));
        assert_eq!(label("web.shop"), "web.shop");
        assert_eq!(label(&"a".repeat(63)), "a".repeat(63));
        let long = label(&"a".repeat(253));
        assert_eq!((long.len(), &long[..47]), (63, format!("{}-", "a".repeat(46)).as_str()));
        assert_ne!(long, label(&"a".repeat(252)));
        for odd in ["", "web shop", "-web", "wéb", "ä".repeat(40).as_str()] {
            assert_eq!(label(odd).len(), 16, "{odd}");
        }
    }

    #[test]
    fn a_release_is_read_as_it_was_written() {
        let release = Release {
            id: ReleaseId::new("web-00ff"),
            service: ServiceName::new("web"),
            version: String::new(),
            artifact: "web@sha256:00".into(),
        };
        let made = secret(Fence(3), &release, &Payload::new("{}"), Some("hold"));
        assert_eq!(super::release(&made.metadata), Some(release));
        assert_eq!((fence(&made.metadata), hold(&made.metadata).as_deref()), (Fence(3), Some("hold")));
        assert!(payload(&made) == Some(Payload::new("{}")));
    }
}
