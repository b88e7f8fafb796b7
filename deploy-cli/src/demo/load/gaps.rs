//! The times in which no request was answered.

use serde::{Deserialize, Serialize};

/// Gaps longer than this are listed, in microseconds.
pub(super) const LISTED_FROM_US: u64 = 100_000;

/// A time without a successful answer. All in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gap {
    /// When it began, from the generator's start.
    pub start_us: u64,
    /// How long it was.
    pub length_us: u64,
    /// How late the generator was at most with a request that was due or sent in the gap. Where this is near the
    /// length, the gap says nothing about the service.
    pub lateness_us: u64,
}

/// Finds gaps while answers arrive. Answers and times must not go backwards.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    last_us: Option<u64>,
    longest: Gap,
    listed: Vec<Gap>,
}

impl Gaps {
    /// A successful answer at `now_us`, to a request that was sent at `sent_us`.
    ///
    /// The first one ends a gap that began with the generator and lasted until that request was sent: what was sent
    /// before it was lost or still waits.
    pub(super) fn answered(&mut self, sent_us: u64, now_us: u64) {
        match self.last_us {
            Some(last_us) => self.gap(last_us, now_us),
            None => self.gap(0, sent_us),
        }
        self.last_us = Some(now_us);
    }

    /// Nothing is outstanding any more, and no request was sent from `ended_us` on.
    pub(super) fn finish(&mut self, ended_us: u64) {
        self.gap(self.last_us.unwrap_or(0), ended_us);
    }

    fn gap(&mut self, start_us: u64, end_us: u64) {
        let gap = Gap { start_us, length_us: end_us.saturating_sub(start_us), lateness_us: 0 };
        if gap.length_us > self.longest.length_us {
            self.longest = gap;
        }
        if gap.length_us > LISTED_FROM_US {
            self.listed.push(gap);
        }
    }

    pub(super) fn longest(&self) -> Gap {
        self.longest
    }

    pub(super) fn listed(&self) -> &[Gap] {
        &self.listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(start_us: u64, length_us: u64) -> Gap {
        Gap { start_us, length_us, lateness_us: 0 }
    }

    #[test]
    fn a_gap_lies_between_two_answers() {
        let mut gaps = Gaps::default();
        for now_us in [20_000, 40_000, 140_000, 240_001, 250_000] {
            gaps.answered(now_us - 20_000, now_us);
        }
        gaps.finish(251_000);
        assert_eq!(gaps.longest(), gap(140_000, 100_001));
        assert_eq!(gaps.listed(), [gap(140_000, 100_001)]);
    }

    #[test]
    fn before_the_first_answer_the_service_is_not_blamed_for_its_latency() {
        let mut gaps = Gaps::default();
        gaps.answered(0, 900_000);
        assert_eq!(gaps.listed(), []);
        let mut gaps = Gaps::default();
        gaps.answered(300_000, 320_000);
        assert_eq!(gaps.listed(), [gap(0, 300_000)]);
    }

    #[test]
    fn a_service_that_stays_away_is_one_gap_to_the_end() {
        let mut gaps = Gaps::default();
        gaps.answered(0, 10_000);
        gaps.finish(1_010_000);
        assert_eq!(gaps.listed(), [gap(10_000, 1_000_000)]);
        let mut gaps = Gaps::default();
        gaps.finish(1_000_000);
        assert_eq!((gaps.longest(), gaps.listed()), (gap(0, 1_000_000), &[gap(0, 1_000_000)][..]));
    }

    #[test]
    fn an_end_before_the_last_answer_is_no_gap() {
        let mut gaps = Gaps::default();
        gaps.answered(0, 10_000);
        gaps.answered(10_000, 110_000);
        gaps.finish(20_000);
        assert_eq!((gaps.longest(), gaps.listed()), (gap(10_000, 100_000), &[][..]));
    }
}
