use super::WorkloadRef;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Hundredths of a percent: 10,000 is everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BasisPoints(pub u16);

impl BasisPoints {
    /// All of it.
    pub const ALL: Self = Self(10_000);

    /// `part` of `whole`, rounded down; everything where `whole` is zero.
    pub fn of(part: u32, whole: u32) -> Self {
        let points = (u64::from(part) * 10_000).checked_div(u64::from(whole)).unwrap_or(10_000);
        Self(points.min(10_000) as u16)
    }
}

impl fmt::Display for BasisPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (percent, 0) => write!(f, "{percent} %"),
            (percent, rest) => write!(f, "{percent}.{rest:02} %"),
        }
    }
}

/// A workload's part of a service's requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Share {
    /// Who answers.
    pub workload: WorkloadRef,
    /// How much of the requests.
    pub weight: BasisPoints,
    /// How many of its instances answer, the lowest ordinals first. Absent: however many the backend runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u32>,
}

/// Who answers a service's requests, in a fixed order, so that equal shares are equal values.
///
/// Empty: nobody answers. The weights need not add up to [`BasisPoints::ALL`]: they are relative.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shares(Vec<Share>);

impl Shares {
    /// Sorts, and leaves out what has no weight or no instance.
    pub fn new(shares: impl IntoIterator<Item = Share>) -> Self {
        let mut shares: Vec<_> =
            shares.into_iter().filter(|share| share.weight.0 > 0 && share.instances != Some(0)).collect();
        shares.sort();
        Self(shares)
    }

    /// Everything to so many instances of one workload.
    pub fn all_to(workload: WorkloadRef, instances: Option<u32>) -> Self {
        Self::new([Share { workload, weight: BasisPoints::ALL, instances }])
    }

    /// Instance counts as shares: a request is as likely to reach one instance as another.
    pub fn by_instances(counts: impl IntoIterator<Item = (WorkloadRef, u32)>) -> Self {
        let counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        let total = counts.iter().fold(0_u32, |sum, (_, count)| sum.saturating_add(*count));
        let share =
            |(workload, count)| Share { workload, weight: BasisPoints::of(count, total), instances: Some(count) };
        Self::new(counts.into_iter().map(share))
    }

    /// Nobody answers.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether nobody answers.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In their fixed order.
    pub fn iter(&self) -> impl Iterator<Item = &Share> {
        self.0.iter()
    }

    /// The share of one workload, if it has any.
    pub fn of(&self, workload: &WorkloadRef) -> Option<&Share> {
        self.0.iter().find(|share| share.workload == *workload)
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nobody");
        }
        for (index, share) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{} to {}", share.weight, share.workload.release)?;
            if let Some(instances) = share.instances {
                let plural = if instances == 1 { "" } else { "s" };
                write!(f, " ({instances} instance{plural})")?;
            }
        }
        Ok(())
    }
}
