use crate::output::deed::{applied, looked};
use deploy_core::model::{Clocks, Count, Fact, Millis, Named, Op, Pace, Plan, ReleaseId, Shares, Step};
use std::collections::BTreeMap;

/// One step as a letter tells it: sizes as differences.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Start { release: ReleaseId, more: Option<u32> },
    Check { release: ReleaseId, check: Named, clocks: Clocks },
    Route { shares: Shares },
    Drain { release: ReleaseId },
    Bake { time: Millis },
    Stop { release: ReleaseId, fewer: u32, rest: u32, keep: bool },
    Replace { release: ReleaseId, from: ReleaseId, pace: Pace },
    Apply { said: String },
    Delete { object: String },
}

impl Item {
    /// What makes two items of different rounds the same.
    pub(super) fn kind(&self) -> (u8, &str, String) {
        match self {
            Self::Start { release, .. } => (0, release.as_str(), String::new()),
            Self::Check { release, check, .. } => (1, release.as_str(), looked(check)),
            Self::Route { .. } => (2, "", String::new()),
            Self::Drain { release } => (3, release.as_str(), String::new()),
            Self::Bake { .. } => (4, "", String::new()),
            Self::Stop { release, .. } => (5, release.as_str(), String::new()),
            Self::Replace { release, .. } => (6, release.as_str(), String::new()),
            Self::Apply { said } => (7, said, String::new()),
            Self::Delete { object } => (8, object, String::new()),
        }
    }
}

/// The steps of one service as items; what is prepared is told elsewhere.
pub(super) fn items(plan: &Plan, steps: &[&Step]) -> Vec<Item> {
    let mut sizes: BTreeMap<&ReleaseId, u32> = BTreeMap::new();
    for fact in &plan.basis {
        if let Fact::Asked { workload, min, .. } = fact {
            sizes.insert(&workload.release, *min);
        }
    }
    let mut items = Vec::new();
    for step in steps {
        items.extend(match &step.op {
            Op::Store { .. } => None,
            Op::Apply { object } => Some(Item::Apply { said: applied(step, &object.object) }),
            Op::Delete { object } => Some(Item::Delete { object: object.to_string() }),
            Op::Ensure { workload, count: Count::Exactly(to) } => {
                let from = sizes.insert(&workload.release, *to).unwrap_or(0);
                let release = workload.release.clone();
                Some(match *to < from {
                    true => Item::Stop { release, fewer: from - to, rest: *to, keep: true },
                    false => Item::Start { release, more: Some(to - from) },
                })
            }
            Op::Ensure { workload, .. } => Some(Item::Start { release: workload.release.clone(), more: None }),
            Op::Replace { workload, from, pace } => {
                Some(Item::Replace { release: workload.release.clone(), from: from.clone(), pace: *pace })
            }
            Op::Remove { workload, keep } => {
                let fewer = sizes.insert(&workload.release, 0).unwrap_or(0);
                Some(Item::Stop { release: workload.release.clone(), fewer, rest: 0, keep: *keep })
            }
            Op::Route { shares, .. } => Some(Item::Route { shares: shares.clone() }),
            Op::Drain { workload, .. } => Some(Item::Drain { release: workload.release.clone() }),
            Op::Check { workload, check, clocks } => {
                Some(Item::Check { release: workload.release.clone(), check: check.clone(), clocks: *clocks })
            }
            Op::Await { .. } => None,
            Op::Wait { time } => Some(Item::Bake { time: *time }),
        });
    }
    items
}
