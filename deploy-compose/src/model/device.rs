//! Devices that a container gets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::read::At;

/// A device of the host inside a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The device on the host.
    pub source: String,
    /// The path inside the container.
    pub target: String,
    /// What the container may do with it, out of `r`, `w` and `m`.
    pub permissions: String,
}

/// A request for devices that a driver gives out, such as GPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceRequest {
    /// The driver; `None` is any that has the capabilities.
    #[serde(skip_serializing_if = "is_default")]
    pub driver: Option<String>,
    /// How many; `None` where devices are named.
    #[serde(skip_serializing_if = "is_default")]
    pub count: Option<DeviceCount>,
    /// Devices by name.
    #[serde(skip_serializing_if = "is_default")]
    pub device_ids: Vec<String>,
    /// What they must be capable of.
    #[serde(skip_serializing_if = "is_default")]
    pub capabilities: Vec<String>,
    /// The driver's options.
    #[serde(skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, String>,
}

/// A number of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceCount {
    /// Every one.
    All,
    /// So many.
    Number(u32),
}

impl Device {
    /// `SOURCE[:TARGET[:PERMISSIONS]]` or a map.
    pub(crate) fn read(at: &At<'_>) -> Option<Self> {
        let (source, target, permissions) = if at.is_map() {
            let mut fields = at.fields();
            let parts = (fields.text("source"), fields.text("target"), fields.text("permissions"));
            fields.finish();
            parts
        } else {
            let text = at.text()?;
            let mut parts = text.splitn(3, ':').map(str::to_owned);
            (parts.next(), parts.next(), parts.next())
        };
        let source = source.filter(|source| source.starts_with('/'));
        let source = at.or_expected(source, "a device such as /dev/snd or /dev/sda:/dev/xvda:rwm")?;
        let target = target.unwrap_or_else(|| source.clone());
        Some(Self { source, target, permissions: permissions.unwrap_or_else(|| "rwm".into()) })
    }
}

impl DeviceRequest {
    /// `gpus: all`.
    pub(crate) fn all_gpus() -> Self {
        Self { count: Some(DeviceCount::All), capabilities: vec!["gpu".into()], ..Self::default() }
    }

    /// An entry of `gpus` (`gpu` set) or of `deploy.resources.reservations.devices`.
    pub(crate) fn read(at: &At<'_>, gpu: bool) -> Self {
        let mut fields = at.fields();
        let count = fields.take("count").and_then(|at| {
            at.parsed("`all` or a number of devices", |text| match text {
                "all" => Some(DeviceCount::All),
                text => text.parse().ok().map(DeviceCount::Number),
            })
        });
        let mut request = Self {
            driver: fields.text("driver"),
            count,
            device_ids: fields.texts("device_ids"),
            capabilities: fields.texts("capabilities"),
            options: fields.text_pairs("options"),
        };
        fields.finish();
        if gpu && !request.capabilities.iter().any(|capability| capability == "gpu") {
            request.capabilities.push("gpu".into());
        }
        if request.count.is_some() && !request.device_ids.is_empty() {
            at.problem("expected either `count` or `device_ids`, but found both; remove one of them");
        }
        if request.count.is_none() && request.device_ids.is_empty() {
            request.count = Some(DeviceCount::All);
        }
        request
    }
}
