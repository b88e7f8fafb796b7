//! How late the generator itself was.

use hdrhistogram::{CreationError, Histogram};
use serde::{Deserialize, Serialize};

use super::gaps::Gap;

/// Being later than this is a stall, in microseconds.
const STALL_US: u64 = 50_000;
/// Being later than this is remembered with its time, in microseconds: above what a timer's grain makes.
const REMEMBERED_US: u64 = 5_000;

/// How late requests were sent, compared with their schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lateness {
    /// 99 of 100 requests were late by this or less, in microseconds.
    pub p99_us: u64,
    /// The latest request, in microseconds.
    pub max_us: u64,
    /// How often the generator was more than 50 ms late; requests that were late together count once.
    pub stalls: u64,
}

/// A time in which requests were due and not sent.
#[derive(Debug)]
struct Delay {
    from_us: u64,
    to_us: u64,
    worst_us: u64,
}

/// Collects how late requests were.
#[derive(Debug)]
pub(super) struct Delays {
    histogram: Histogram<u64>,
    max_us: u64,
    remembered: Vec<Delay>,
}

/// For microseconds up to an hour, to a thousandth.
pub(super) fn histogram() -> Result<Histogram<u64>, CreationError> {
    Histogram::new_with_bounds(1, 3_600_000_000, 3)
}

impl Delays {
    pub(super) fn new() -> Result<Self, CreationError> {
        Ok(Self { histogram: histogram()?, max_us: 0, remembered: Vec::new() })
    }

    /// A request that was due at `due_us` was sent at `sent_us`. Requests come in the order in which they were due.
    pub(super) fn sent(&mut self, due_us: u64, sent_us: u64) {
        let late_us = sent_us.saturating_sub(due_us);
        self.histogram.saturating_record(late_us);
        self.max_us = self.max_us.max(late_us);
        if late_us <= REMEMBERED_US {
            return;
        }
        match self.remembered.last_mut() {
            Some(delay) if due_us <= delay.to_us => {
                delay.to_us = delay.to_us.max(sent_us);
                delay.worst_us = delay.worst_us.max(late_us);
            }
            _ => self.remembered.push(Delay { from_us: due_us, to_us: sent_us, worst_us: late_us }),
        }
    }

    pub(super) fn summary(&self) -> Lateness {
        Lateness {
            p99_us: self.histogram.value_at_quantile(0.99),
            max_us: self.max_us,
            stalls: self.remembered.iter().filter(|delay| delay.worst_us > STALL_US).count() as u64,
        }
    }

    /// The gap with the lateness that overlaps it.
    pub(super) fn blame(&self, gap: Gap) -> Gap {
        let end_us = gap.start_us + gap.length_us;
        let first = self.remembered.partition_point(|delay| delay.to_us < gap.start_us);
        let overlapping = self.remembered[first..].iter().take_while(|delay| delay.from_us <= end_us);
        Gap { lateness_us: overlapping.map(|delay| delay.worst_us).max().unwrap_or(0), ..gap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_were_late_together_are_one_stall() {
        let mut delays = Delays::new().unwrap();
        for (due_us, sent_us) in [(0, 1_000), (10_000, 90_000), (20_000, 90_001), (30_000, 90_002), (100_000, 100_100)]
        {
            delays.sent(due_us, sent_us);
        }
        delays.sent(200_000, 250_000);
        assert_eq!(delays.summary().stalls, 1);
        delays.sent(300_000, 350_001);
        assert_eq!((delays.summary().stalls, delays.summary().max_us), (2, 80_000));
    }

    #[test]
    fn the_slowest_in_a_hundred_are_beyond_the_p99() {
        let mut delays = Delays::new().unwrap();
        for request in 1..=1_000 {
            let late_us = if request <= 990 { 40_000 } else { 90_000 };
            delays.sent(request * 1_000_000, request * 1_000_000 + late_us);
        }
        let p99_us = delays.summary().p99_us;
        assert!((40_000..=40_040).contains(&p99_us), "{p99_us}");
    }

    #[test]
    fn a_gap_is_blamed_on_the_lateness_that_overlaps_it() {
        let mut delays = Delays::new().unwrap();
        for (due_us, sent_us) in [(10_000, 40_000), (100_000, 180_000), (150_000, 180_000), (300_000, 390_000)] {
            delays.sent(due_us, sent_us);
        }
        let blamed = |start_us, length_us| delays.blame(Gap { start_us, length_us, lateness_us: 0 }).lateness_us;
        assert_eq!(blamed(90_000, 150_000), 80_000);
        assert_eq!(blamed(170_000, 5_000), 80_000);
        assert_eq!(blamed(0, 500_000), 90_000);
        assert_eq!(blamed(181_000, 100_000), 0);
    }
}
