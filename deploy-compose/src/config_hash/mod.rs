//! A service's configuration as Compose hashes it, so that `docker compose up` takes a container of ours for its own.
//!
//! Compose writes its model of a service as JSON and hashes the text. What that text is depends on its version: on the
//! order of a struct's fields, and on which of them are left out when they are empty. So it is rebuilt here from the
//! tree of the file, field by field; what isn't known to be written like this has no hash at all.

mod deploy;
mod go;
mod network;
mod service;
mod storage;
mod value;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use crate::{model::Service, read::At};

/// A service's configuration as Compose v2.26.1 writes it to hash it: without `build`, `pull_policy` and counts. It
/// holds the values of environment variables; `Debug` doesn't show them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ComposeConfig {
    text: String,
}

/// Fields that may name another service. Compose puts one of its containers there, and hashes that.
const SHARED: [&str; 3] = ["ipc", "network_mode", "pid"];

impl ComposeConfig {
    /// The version of Compose whose hashes these are, as Debian 13 packages it (with compose-go 2.4.8).
    pub const VERSION: &str = "2.26.1";

    /// What that version puts into the label `com.docker.compose.config-hash`, as long as no namespace is another
    /// service's.
    #[must_use]
    pub fn hash(&self) -> String {
        Sha256::digest(&self.text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The same for a service in a namespace of another one: `id_of` tells the id of that service's first container. What
    /// it can't tell stays as the file has it.
    #[must_use]
    pub fn hash_with(&self, id_of: impl Fn(&str) -> Option<String>) -> String {
        let Ok(mut config) = serde_json::from_str::<Map<String, Json>>(&self.text) else { return self.hash() };
        for field in SHARED {
            let Some(mode) = config.get_mut(field) else { continue };
            let service = mode.as_str().and_then(|mode| mode.strip_prefix("service:"));
            if let Some(id) = service.and_then(&id_of) {
                *mode = Json::from(format!("container:{id}"));
            }
        }
        Self { text: go::marshal(&Json::Object(config)) }.hash()
    }
}

impl fmt::Debug for ComposeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ComposeConfig({})", self.hash())
    }
}

/// A service's configuration, or nothing where it isn't known how Compose writes it. The tree was read as `read`.
pub(crate) fn compose_config(at: &At<'_>, read: &Service) -> Option<ComposeConfig> {
    let config = service::service(service::Source { at, read }).ok()?;
    Some(ComposeConfig { text: go::marshal(&config) })
}
