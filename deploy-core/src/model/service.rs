use super::{BasisPoints, Clocks, Count, Millis, Named, Object, Release, RouterId, ServiceName};
use serde::{Deserialize, Serialize};

/// What strategies need to know of a service: whole in the plan, so that a rollback needs no file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// What is to run.
    pub release: Release,
    /// How many instances.
    pub count: Count,
    /// What sends requests to it; absent: nothing that we know of.
    pub router: Option<RouterId>,
    /// Which comes first, the new or the end of the old.
    pub order: Order,
    /// How many instances at a time, in a rolling update.
    pub batch: Batch,
    /// How an instance is seen to be healthy.
    pub check: Named,
    /// How often and how long that is looked at.
    pub clocks: Clocks,
    /// Further checks on new instances once they are healthy, before they get requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub smoke: Vec<Named>,
    /// How long the new release is watched after it has all the traffic, before the old one is taken away.
    pub bake: Millis,
    /// How long requests in flight may take to end.
    pub drain_by: Millis,
    /// How long instances may take to stop by themselves.
    pub stop_by: Millis,
    /// Services that must be healthy before this one starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<ServiceName>,
    /// Services of which it is a lodger: its instances live in theirs, whose network or processes they share. They end before
    /// those do, and start in the new ones. It needs them, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lives_in: Vec<ServiceName>,
    /// What it stands on, in the order in which that is applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<Object>,
    /// Keep a failed new release for inspection, stopped.
    #[serde(default)]
    pub keep_failed: bool,
    /// How it is treated and why: sentences for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Which comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The new instances start beside the old ones.
    StartFirst,
    /// The old ones end before the new ones start: two at once would do harm.
    StopFirst,
}

/// How many instances at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Batch {
    /// This many; at least one.
    Size(u32),
    /// This part of the count, rounded up; at least one.
    Share(BasisPoints),
}

impl Batch {
    /// How many of so many; at least one.
    pub fn of(self, count: u32) -> u32 {
        match self {
            Self::Size(size) => size.max(1),
            Self::Share(share) => {
                let part = (u64::from(count) * u64::from(share.0)).div_ceil(10_000);
                u32::try_from(part).unwrap_or(u32::MAX).max(1)
            }
        }
    }
}
