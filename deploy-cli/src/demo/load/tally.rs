//! What has happened so far.

use hdrhistogram::{CreationError, Histogram};
use jiff::Timestamp;

use super::{
    Latency, Loss, Progress, Report,
    gaps::Gaps,
    lateness::{Delays, histogram},
};

/// Counts requests and their outcomes. Times are microseconds from the generator's start.
#[derive(Debug)]
pub(super) struct Tally {
    progress: Progress,
    latency: Histogram<u64>,
    gaps: Gaps,
    delays: Delays,
}

impl Tally {
    pub(super) fn new() -> Result<Self, CreationError> {
        Ok(Self { progress: Progress::default(), latency: histogram()?, gaps: Gaps::default(), delays: Delays::new()? })
    }

    /// A request is due, and will be sent.
    pub(super) fn due(&mut self) {
        self.progress.sent += 1;
        self.progress.outstanding += 1;
    }

    /// It is sent.
    pub(super) fn sent(&mut self, due_us: u64, sent_us: u64) {
        self.delays.sent(due_us, sent_us);
    }

    /// A request is due, and won't be sent.
    pub(super) fn overrun(&mut self) {
        self.progress.sent += 1;
        self.count(Loss::Overrun);
    }

    pub(super) fn answered(&mut self, version: Option<String>, sent_us: u64, now_us: u64) {
        self.progress.outstanding -= 1;
        self.progress.answered += 1;
        *self.progress.by_version.entry(version.unwrap_or_else(|| "none".to_owned())).or_default() += 1;
        self.latency.saturating_record(now_us.saturating_sub(sent_us));
        self.gaps.answered(sent_us, now_us);
    }

    pub(super) fn lost(&mut self, loss: Loss) {
        self.progress.outstanding -= 1;
        self.count(loss);
    }

    pub(super) fn reopened(&mut self) {
        self.progress.reopened += 1;
    }

    pub(super) fn outstanding(&self) -> usize {
        self.progress.outstanding
    }

    pub(super) fn progress(&self, now_us: u64) -> Progress {
        Progress { elapsed_us: now_us, longest_gap: self.delays.blame(self.gaps.longest()), ..self.progress.clone() }
    }

    /// The end: no request is outstanding, and none was sent from `ended_us` on.
    pub(super) fn report(&mut self, started: Timestamp, ended_us: u64) -> Report {
        self.gaps.finish(ended_us);
        let Progress { sent, answered, lost, by_version, reopened, .. } = self.progress.clone();
        Report {
            started,
            duration_us: ended_us,
            sent,
            answered,
            lost,
            by_version,
            latency: Latency {
                p50_us: self.latency.value_at_quantile(0.5),
                p90_us: self.latency.value_at_quantile(0.9),
                p99_us: self.latency.value_at_quantile(0.99),
                max_us: self.latency.max(),
            },
            longest_gap: self.delays.blame(self.gaps.longest()),
            gaps: self.gaps.listed().iter().map(|gap| self.delays.blame(*gap)).collect(),
            lateness: self.delays.summary(),
            reopened,
        }
    }

    fn count(&mut self, loss: Loss) {
        *self.progress.lost.entry(loss).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_kept_to_a_thousandth() {
        let mut tally = Tally::new().unwrap();
        for request in 1..=1_000 {
            tally.due();
            tally.answered(None, 0, request * 1_000);
        }
        let Latency { p50_us, p90_us, p99_us, max_us } = tally.report(Timestamp::UNIX_EPOCH, 1_000_000).latency;
        for (found, expected) in [(p50_us, 500_000), (p90_us, 900_000), (p99_us, 990_000), (max_us, 1_000_000)] {
            assert!((expected..=expected + expected / 1_000).contains(&found), "{found} for {expected}");
        }
    }
}
