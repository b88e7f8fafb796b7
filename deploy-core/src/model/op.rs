use super::{Millis, Named, Object, ObjectRef, Release, ReleaseId, RouterId, ServiceName, Shares, WorkloadRef};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a step does. It means the same on every target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Op {
    /// Puts a release's payload into the target's own store.
    Store {
        /// Where, and whose payload.
        workload: WorkloadRef,
        /// What the payload belongs to.
        release: Release,
    },
    /// Makes an object be there as described.
    Apply {
        /// The object and its definition.
        object: Object,
    },
    /// Takes an object away.
    Delete {
        /// Which one.
        object: ObjectRef,
    },
    /// Puts a set beside what runs, or changes its size: the lowest ordinals stay.
    Ensure {
        /// Which set.
        workload: WorkloadRef,
        /// How large.
        count: Count,
    },
    /// The backend's own rolling update, in place; only where [`Capabilities::replaces`](super::Capabilities::replaces).
    Replace {
        /// What is to run.
        workload: WorkloadRef,
        /// What runs now.
        from: ReleaseId,
        /// How fast.
        pace: Pace,
    },
    /// Takes a set away.
    Remove {
        /// Which set.
        workload: WorkloadRef,
        /// Keep it at hand, stopped, for a fast way back.
        keep: bool,
    },
    /// Moves traffic, by compare-and-swap.
    Route {
        /// By which router.
        router: RouterId,
        /// Whose requests.
        service: ServiceName,
        /// Who answers from now on.
        shares: Shares,
    },
    /// Waits until requests in flight have ended at the instances that the current routes leave out, at most until 30 s
    /// before the step's deadline.
    Drain {
        /// By which router.
        router: RouterId,
        /// Whose instances.
        workload: WorkloadRef,
    },
    /// Waits until every instance is healthy.
    Check {
        /// Whose instances.
        workload: WorkloadRef,
        /// How one is looked at.
        check: Named,
        /// How often, and how long.
        clocks: Clocks,
    },
    /// Waits until an object that was applied has come true, as its target has it; only kinds that
    /// [take their time](super::Capabilities::awaited).
    Await {
        /// Which one.
        object: ObjectRef,
        /// How long, at most.
        by: Millis,
    },
    /// Lets time pass, while guards watch.
    Wait {
        /// How much.
        time: Millis,
    },
}

impl Op {
    /// The service that it is about, if it is about one.
    pub fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::Store { workload, .. }
            | Self::Ensure { workload, .. }
            | Self::Replace { workload, .. }
            | Self::Remove { workload, .. }
            | Self::Drain { workload, .. }
            | Self::Check { workload, .. } => Some(&workload.service),
            Self::Route { service, .. } => Some(service),
            Self::Apply { .. } | Self::Delete { .. } | Self::Await { .. } | Self::Wait { .. } => None,
        }
    }
}

/// How large a set is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Count {
    /// This many instances.
    Exactly(u32),
    /// As many as serve of that release when the step is performed, so that an undo hours later writes no stale number.
    AsServing(ReleaseId),
    /// Somebody else's field: not touched.
    Leave,
}

/// How fast a backend may replace instances by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// How many instances there may be beyond the count.
    pub surge: u32,
    /// How many of the count may be missing.
    pub unavailable: u32,
}

/// The clocks of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// Successes in a row until an instance counts as healthy; at least one.
    pub successes: u32,
    /// The pause between two looks, at most; the first looks come faster.
    pub interval: Millis,
    /// How long an instance must have been healthy without a break.
    pub healthy_for: Millis,
    /// The healthy deadline: each instance is healthy by then, or the check fails.
    pub healthy_by: Millis,
    /// The progress deadline: one more instance becomes healthy within this time, or the check fails.
    pub progress_by: Millis,
}

impl Default for Clocks {
    /// One success, 60 s, looked at every 500 ms.
    fn default() -> Self {
        Self {
            successes: 1,
            interval: Millis(500),
            healthy_for: Millis::ZERO,
            healthy_by: Millis::from_secs(60),
            progress_by: Millis::from_secs(60),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(1) => f.write_str("1 instance"),
            Self::Exactly(count) => write!(f, "{count} instances"),
            Self::AsServing(release) => write!(f, "as many as serve of {release}"),
            Self::Leave => f.write_str("the count left alone"),
        }
    }
}

impl fmt::Display for Op {
    /// A short sentence without a subject: `start 4 instances of web-1f00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store { release, .. } => write!(f, "store the configuration of {}", release.id),
            Self::Apply { object } => write!(f, "apply {}", object.object),
            Self::Delete { object } => write!(f, "delete {object}"),
            Self::Ensure { workload, count } => write!(f, "run {count} of {}", workload.release),
            Self::Replace { workload, from, .. } => write!(f, "replace {from} by {} in place", workload.release),
            Self::Remove { workload, keep: true } => write!(f, "stop {} and keep it", workload.release),
            Self::Remove { workload, keep: false } => write!(f, "remove {}", workload.release),
            Self::Route { service, shares, .. } => write!(f, "send requests for {service}: {shares}"),
            Self::Drain { workload, .. } => write!(f, "let requests at {} end", workload.release),
            Self::Check { workload, check, .. } => {
                write!(f, "wait until {} is healthy ({})", workload.release, check.name)
            }
            Self::Await { object, .. } => write!(f, "wait for {object}"),
            Self::Wait { time } => write!(f, "wait {time}"),
        }
    }
}
