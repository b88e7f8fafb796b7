//! A release's rendered configuration: all that its containers are made from, without the file of the day.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bollard::models::{ContainerCreateBody, EndpointSettings};
use deploy_compose::ComposeConfig;
use deploy_core::model::{Payload, Release, ReleaseId, ServiceName};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use sha2::Sha256;
use std::{collections::BTreeMap, fmt};

/// The format that this version writes, and the newest that it reads.
const FORMAT: u16 = 1;

/// What a release's containers are made from, in the Engine's terms. Its text is the release's payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Definition {
    format: u16,
    min_reader: u16,
    /// How people know the release.
    #[serde(default)]
    pub(crate) version: String,
    /// Labels of Compose's that say where the project lies and the like. Another folder makes no other release.
    #[serde(default)]
    pub(crate) origin: BTreeMap<String, String>,
    /// What makes it this release and no other.
    #[serde(flatten)]
    pub(crate) content: Content,
}

/// What a release's name is the hash of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// The project.
    pub(crate) project: String,
    /// The service.
    pub(crate) service: ServiceName,
    /// The create call's body, without name, networks and what differs from instance to instance. Namespaces of other
    /// services stand there as `service:NAME`.
    pub(crate) container: ContainerCreateBody,
    /// `container_name:`, which one instance can have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) container_name: Option<String>,
    /// `platform:`, which the image is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    /// The networks that it joins, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) networks: Vec<Joined>,
    /// Files that are copied into each container before its start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<CopiedFile>,
    /// The releases in whose containers it lives: a new one of those makes a new one of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) lives_in: BTreeMap<ServiceName, ReleaseId>,
    /// Paths whose anonymous volume goes on from one container to the next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) carried: Vec<String>,
    /// Whether plain Compose made its containers: they can be stopped and started, and no further ones made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) by_compose: bool,
    /// The service as Compose hashes it, where that is known: what makes `docker compose up` replace containers makes
    /// another release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<ComposeConfig>,
    /// Hashes of bound files that stay the host's: a change makes another release.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) bound: BTreeMap<String, String>,
}

/// A network with the container's place in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Joined {
    /// The Engine's name of it.
    pub(crate) network: String,
    /// Aliases, addresses and the like.
    pub(crate) endpoint: EndpointSettings,
}

/// A file that is copied into a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CopiedFile {
    /// Where, absolute.
    pub(crate) path: String,
    /// Its mode bits.
    pub(crate) mode: u32,
    /// Its owner's number.
    pub(crate) uid: u64,
    /// Its group's number.
    pub(crate) gid: u64,
    /// What is in it.
    pub(crate) content: Bytes,
}

/// A file's content, as base64 in JSON. `Debug` shows its length only.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}

/// Why a payload can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// It was written by a newer version.
    #[error(
        "expected a configuration that format {FORMAT} can read, but found one that needs format {needed}; use a newer deploy"
    )]
    TooNew {
        /// The format that it needs.
        needed: u16,
    },
    /// It can't be read or written.
    #[error("expected a whole configuration of {release}; deploy it again from its Compose file")]
    Json {
        /// Whose it is.
        release: ReleaseId,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl Definition {
    pub(crate) fn new(content: Content) -> Self {
        Self { format: FORMAT, min_reader: FORMAT, version: String::new(), origin: BTreeMap::new(), content }
    }

    /// The release of that name.
    pub(crate) fn release(&self, id: ReleaseId) -> Release {
        Release {
            id,
            service: self.content.service.clone(),
            version: self.version.clone(),
            artifact: self.content.container.image.clone().unwrap_or_default(),
        }
    }

    /// The release's name: the service's and 16 hex digits of the content's hash under the key.
    ///
    /// # Errors
    /// Where the content can't be JSON.
    pub(crate) fn release_id(&self, key: &[u8]) -> Result<ReleaseId, DefinitionError> {
        let release = || ReleaseId::new(self.content.service.as_str());
        let json = |source| DefinitionError::Json { release: release(), source };
        let text = canonical(&serde_json::to_value(&self.content).map_err(json)?);
        let mut hash = keyed(key);
        hash.update(text.as_bytes());
        let hash = hash.finalize().into_bytes();
        Ok(ReleaseId::new(format!("{}-{}", self.content.service, hex(&hash[..8]))))
    }

    /// As it goes to the store.
    pub(crate) fn payload(&self, release: &ReleaseId) -> Result<Payload, DefinitionError> {
        let text = serde_json::to_string(self);
        text.map(Payload::new).map_err(|source| DefinitionError::Json { release: release.clone(), source })
    }

    /// As it came from the store.
    pub(crate) fn read(release: &ReleaseId, payload: &Payload) -> Result<Self, DefinitionError> {
        #[derive(Deserialize)]
        struct Header {
            min_reader: u16,
        }
        let json = |source| DefinitionError::Json { release: release.clone(), source };
        let needed = serde_json::from_str::<Header>(payload.expose()).map_err(json)?.min_reader;
        if needed > FORMAT {
            return Err(DefinitionError::TooNew { needed });
        }
        serde_json::from_str(payload.expose()).map_err(json)
    }
}

/// A hash of bytes under the key: nobody without the key can try guesses.
pub(crate) fn keyed_hash(key: &[u8], bytes: &[u8]) -> String {
    let mut hash = keyed(key);
    hash.update(bytes);
    hex(&hash.finalize().into_bytes()[..16])
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length, so there is nothing that could be refused
    Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// JSON with the members of each object in the order of their names.
pub(crate) fn canonical(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let members: BTreeMap<_, _> =
                    members.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
                Value::Object(members.into_iter().collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    sorted(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn definition(labels: &[(&str, &str)]) -> Definition {
        let labels: HashMap<_, _> = labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let container =
            ContainerCreateBody { image: Some("sha256:ab".into()), labels: Some(labels), ..Default::default() };
        let file =
            CopiedFile { path: "/run/secrets/a".into(), mode: 0o400, uid: 0, gid: 0, content: Bytes(vec![0, 255]) };
        let content = Content {
            project: "shop".into(),
            service: "web".into(),
            container,
            container_name: None,
            platform: None,
            networks: Vec::new(),
            files: vec![file],
            lives_in: BTreeMap::new(),
            carried: Vec::new(),
            by_compose: false,
            config: None,
            bound: BTreeMap::new(),
        };
        Definition::new(content)
    }

    #[test]
    fn the_release_depends_on_content_and_key_and_on_nothing_else() {
        let one = definition(&[("a", "1"), ("b", "2")]);
        let mut elsewhere = definition(&[("b", "2"), ("a", "1")]);
        elsewhere.origin.insert("folder".into(), "/elsewhere".into());
        let release = one.release_id(b"key").unwrap();
        assert_eq!(elsewhere.release_id(b"key").unwrap(), release);
        assert_ne!(definition(&[("a", "1")]).release_id(b"key").unwrap(), release);
        assert_ne!(one.release_id(b"another").unwrap(), release);
        let (service, hash) = release.as_str().rsplit_once('-').unwrap();
        assert_eq!((service, hash.len()), ("web", 16));
    }

    #[test]
    fn a_changed_secret_is_another_release() {
        let mut other = definition(&[]);
        other.content.files[0].content = Bytes(vec![1]);
        assert_ne!(other.release_id(b"key").unwrap(), definition(&[]).release_id(b"key").unwrap());
    }

    #[test]
    fn a_payload_is_read_as_it_was_written() {
        let one = definition(&[("a", "1")]);
        let release = one.release_id(b"key").unwrap();
        let payload = one.payload(&release).unwrap();
        assert_eq!(Definition::read(&release, &payload).unwrap(), one);
        assert_eq!(format!("{:?}", one.content.files[0].content), "Bytes(2)");
    }

    #[test]
    fn a_newer_payload_is_told_from_a_damaged_one() {
        let release = ReleaseId::new("web-1");
        let read = |text: &str| Definition::read(&release, &Payload::new(text)).unwrap_err();
        assert!(matches!(read(r#"{"format":9,"min_reader":9,"unknown":1}"#), DefinitionError::TooNew { needed: 9 }));
        assert!(matches!(read("{"), DefinitionError::Json { .. }));
    }
}
