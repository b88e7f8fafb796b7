//! Where a container's output goes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::read::At;

/// The log driver and its options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// The driver; `None` is the Engine's default.
    #[serde(skip_serializing_if = "is_default")]
    pub driver: Option<String>,
    /// The driver's options.
    #[serde(skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, String>,
}

impl Logging {
    pub(crate) fn read(at: &At<'_>) -> Self {
        let mut fields = at.fields();
        let logging = Self { driver: fields.text("driver"), options: fields.text_pairs("options") };
        fields.finish();
        logging
    }
}
