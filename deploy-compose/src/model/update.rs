//! `deploy.update_config`: how a new version takes the old one's place.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{healthcheck::duration, is_default};
use crate::read::At;

/// The file's wishes for an update or for a rollback.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateConfig {
    /// How many containers at a time; 0 is all at once.
    #[serde(skip_serializing_if = "is_default")]
    pub parallelism: Option<u32>,
    /// Time between two batches.
    #[serde(skip_serializing_if = "is_default")]
    pub delay: Option<Duration>,
    /// What to do when it fails.
    #[serde(skip_serializing_if = "is_default")]
    pub failure_action: Option<FailureAction>,
    /// How long each new container is watched.
    #[serde(skip_serializing_if = "is_default")]
    pub monitor: Option<Duration>,
    /// The share of containers that may fail, from 0 to 1.
    #[serde(skip_serializing_if = "is_default")]
    pub max_failure_ratio: Option<f64>,
    /// Whether the new one starts before the old one stops.
    #[serde(skip_serializing_if = "is_default")]
    pub order: Option<Order>,
}

/// What to do when an update fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureAction {
    /// Stop and wait for a person.
    Pause,
    /// Go on.
    Continue,
    /// Go back.
    Rollback,
}

/// Whether the new one starts before the old one stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Start, then stop.
    StartFirst,
    /// Stop, then start.
    StopFirst,
}

/// Why a field has no effect.
pub(super) const SWARM: &str = "only a Swarm uses it";

/// What is read of `deploy.update_config`, and not followed.
const UNUSED: [&str; 4] = ["delay", "failure_action", "monitor", "max_failure_ratio"];

impl UpdateConfig {
    /// `deploy.update_config`, of which batches and their order are followed.
    pub(crate) fn read_update(at: &At<'_>) -> Self {
        let mut fields = at.fields();
        UNUSED.iter().for_each(|key| fields.ignore(key, SWARM));
        Self::read(at)
    }

    /// `deploy.rollback_config`, of which nothing is.
    pub(crate) fn read_rollback(at: &At<'_>) -> Self {
        at.ignore(SWARM);
        Self::read(at)
    }

    fn read(at: &At<'_>) -> Self {
        let mut fields = at.fields();
        let update = Self {
            parallelism: fields.whole("parallelism", "a whole number that isn't negative"),
            delay: duration(&mut fields, "delay"),
            failure_action: fields.take("failure_action").and_then(|at| {
                at.parsed("pause, continue or rollback", |text| {
                    Some(match text {
                        "pause" => FailureAction::Pause,
                        "continue" => FailureAction::Continue,
                        "rollback" => FailureAction::Rollback,
                        _ => return None,
                    })
                })
            }),
            monitor: duration(&mut fields, "monitor"),
            max_failure_ratio: fields.take("max_failure_ratio").and_then(|at| {
                at.parsed("a number from 0 to 1", |text| text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)))
            }),
            order: fields.take("order").and_then(|at| {
                at.parsed("start-first or stop-first", |text| match text {
                    "start-first" => Some(Order::StartFirst),
                    "stop-first" => Some(Order::StopFirst),
                    _ => None,
                })
            }),
        };
        fields.finish();
        update
    }
}
