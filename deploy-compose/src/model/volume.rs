//! Named volumes of the project.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Key, is_default, network::name_and_external};
use crate::read::At;

/// A named volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Volume {
    /// What the Engine calls it.
    pub name: String,
    /// Whether it exists already and is never made or removed by a deployment.
    #[serde(skip_serializing_if = "is_default")]
    pub external: bool,
    /// The driver; `None` is the Engine's default.
    #[serde(skip_serializing_if = "is_default")]
    pub driver: Option<String>,
    /// The driver's options.
    #[serde(skip_serializing_if = "is_default")]
    pub driver_opts: BTreeMap<String, String>,
    /// Labels.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
}

impl Volume {
    pub(crate) fn read(at: &At<'_>, key: &Key) -> Self {
        let mut fields = at.fields();
        let (name, external) = name_and_external(&mut fields, at, key);
        let volume = Self {
            name,
            external,
            driver: fields.text("driver"),
            driver_opts: fields.text_pairs("driver_opts"),
            labels: fields.text_pairs("labels"),
        };
        fields.finish();
        let bare = Self { name: volume.name.clone(), external: true, ..Self::default() };
        if external && volume != bare {
            at.problem(
                "expected only `name` beside `external: true`, but found more; an external volume is used as it is",
            );
        }
        volume
    }
}
