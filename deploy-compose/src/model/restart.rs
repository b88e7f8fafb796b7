//! What happens when a container exits.

use serde::{Deserialize, Serialize};

use crate::read::{At, Fields};

/// The Engine's restart policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// It stays stopped.
    #[default]
    No,
    /// It is started again, and with the Engine.
    Always,
    /// It is started again, and with the Engine unless it had been stopped.
    UnlessStopped,
    /// It is started again after a failure.
    OnFailure {
        /// How often at most; `None` is without end.
        max_retries: Option<u32>,
    },
}

const EXPECTED: &str = "no, always, unless-stopped or on-failure[:number]";

impl Restart {
    pub(crate) fn read(at: &At<'_>) -> Option<Self> {
        at.parsed(EXPECTED, |text| match text.split_once(':') {
            None => Self::named(text),
            Some(("on-failure", retries)) => Some(Self::OnFailure { max_retries: Some(retries.parse().ok()?) }),
            Some(_) => None,
        })
    }

    fn named(text: &str) -> Option<Self> {
        Some(match text {
            "no" | "none" => Self::No,
            "always" | "any" => Self::Always,
            "unless-stopped" => Self::UnlessStopped,
            "on-failure" => Self::OnFailure { max_retries: None },
            _ => return None,
        })
    }

    /// `deploy.restart_policy`, which wins over `restart`.
    pub(crate) fn read_policy(at: &At<'_>) -> Option<Self> {
        let mut fields: Fields<'_> = at.fields();
        let condition = fields.take("condition");
        let named = condition.and_then(|at| at.parsed("none, on-failure, unless-stopped or any", Self::named));
        let most: Option<u32> = fields.whole("max_attempts", "a whole number that isn't negative");
        fields.ignore("delay", "only a Swarm waits between restarts; the Engine has its own growing delay");
        fields.ignore("window", "only a Swarm judges restarts over a time");
        fields.finish();
        match named.unwrap_or(Self::Always) {
            Self::OnFailure { .. } => Some(Self::OnFailure { max_retries: most }),
            other => Some(other),
        }
    }
}
