//! What the generator found.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Gap, Lateness, Loss};

/// A look at a generator that runs. Every request is outstanding, answered or lost.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Progress {
    /// Time since the start, in microseconds.
    pub elapsed_us: u64,
    /// Requests that were due, those lost as [`Loss::Overrun`] included.
    pub sent: u64,
    /// Requests with a good answer.
    pub answered: u64,
    /// Requests without, by what happened.
    pub lost: BTreeMap<Loss, u64>,
    /// Good answers by the version that gave them; `none` where an answer doesn't say.
    pub by_version: BTreeMap<String, u64>,
    /// Requests that wait for their answers.
    pub outstanding: usize,
    /// The longest time between two good answers so far.
    pub longest_gap: Gap,
    /// Kept connections that were found closed before a request was sent on them, and replaced.
    pub reopened: u64,
}

/// The outcome of a load. Each request was answered or lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// When the first request was due; all other times count from here.
    pub started: Timestamp,
    /// For how long requests were sent, in microseconds.
    pub duration_us: u64,
    /// Requests that were due, those lost as [`Loss::Overrun`] included.
    pub sent: u64,
    /// Requests with a good answer.
    pub answered: u64,
    /// Requests without, by what happened.
    pub lost: BTreeMap<Loss, u64>,
    /// Good answers by the version that gave them; `none` where an answer doesn't say.
    pub by_version: BTreeMap<String, u64>,
    /// How long good answers took.
    pub latency: Latency,
    /// The longest time between two good answers; also from the start to the first, and from the last to the end.
    pub longest_gap: Gap,
    /// All gaps longer than 100 ms, as they came. Of interest from some 20 requests per second up.
    pub gaps: Vec<Gap>,
    /// How late the generator itself was.
    pub lateness: Lateness,
    /// Kept connections that were found closed before a request was sent on them, and replaced.
    pub reopened: u64,
}

/// Times from sending a request to the last byte of its good answer, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the answers took this or less.
    pub p50_us: u64,
    /// 9 of 10.
    pub p90_us: u64,
    /// 99 of 100.
    pub p99_us: u64,
    /// All.
    pub max_us: u64,
}

impl Progress {
    /// All requests lost so far.
    pub fn lost_total(&self) -> u64 {
        self.lost.values().sum()
    }
}

impl Report {
    /// All requests lost.
    pub fn lost_total(&self) -> u64 {
        self.lost.values().sum()
    }

    /// Whether the generator was more than 50 ms late at any time, so that its gaps may be its own fault.
    pub fn generator_stalled(&self) -> bool {
        self.lateness.stalls > 0
    }
}

/// A few aligned lines, without an end of line after the last.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { latency, longest_gap, lateness, .. } = self;
        let lost = self.lost_total();
        write!(f, "requests   {} sent, {} answered, {lost} lost", self.sent, self.answered)?;
        if lost > 0 {
            write!(f, " ({})", counts(&self.lost))?;
        }
        writeln!(
            f,
            "\nversions   {}",
            if self.answered > 0 { counts(&self.by_version) } else { "no answer".to_owned() }
        )?;
        write!(f, "latency    p50 {}, p90 {}", Ms(latency.p50_us), Ms(latency.p90_us))?;
        writeln!(f, ", p99 {}, max {}", Ms(latency.p99_us), Ms(latency.max_us))?;
        write!(f, "gap        longest {longest_gap}; above 100 ms: {}", self.gaps.len())?;
        for gap in &self.gaps {
            write!(f, "\n           {gap}")?;
        }
        write!(f, "\ngenerator  late by {} at most, p99 {}", Ms(lateness.max_us), Ms(lateness.p99_us))?;
        write!(f, "; stalls above 50 ms: {}; connections reopened: {}", lateness.stalls, self.reopened)
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:.3} s", Ms(self.length_us), self.start_us as f64 / 1e6)?;
        if self.lateness_us > 0 { write!(f, " (generator late by {})", Ms(self.lateness_us)) } else { Ok(()) }
    }
}

fn counts(counted: &BTreeMap<impl fmt::Display, u64>) -> String {
    counted.iter().map(|(what, count)| format!("{what} {count}")).collect::<Vec<_>>().join(", ")
}

/// Microseconds, shown as milliseconds.
struct Ms(u64);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0 as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let gap = Gap { start_us: 12_034_000, length_us: 143_100, lateness_us: 61_000 };
        Report {
            started: Timestamp::UNIX_EPOCH,
            duration_us: 60_000_000,
            sent: 30_000,
            answered: 29_997,
            lost: [(Loss::ConnectRefused, 2), (Loss::Status(502), 1)].into(),
            by_version: [("v1".to_owned(), 14_000), ("v2".to_owned(), 15_997)].into(),
            latency: Latency { p50_us: 21_234, p90_us: 22_000, p99_us: 25_100, max_us: 80_300 },
            longest_gap: gap,
            gaps: vec![gap],
            lateness: Lateness { p99_us: 1_400, max_us: 61_000, stalls: 1 },
            reopened: 4,
        }
    }

    #[test]
    fn a_report_reads_as_a_few_lines() {
        insta::assert_snapshot!(report(), @"
        requests   30000 sent, 29997 answered, 3 lost (connect-refused 2, status-502 1)
        versions   v1 14000, v2 15997
        latency    p50 21.2 ms, p90 22.0 ms, p99 25.1 ms, max 80.3 ms
        gap        longest 143.1 ms at 12.034 s (generator late by 61.0 ms); above 100 ms: 1
                   143.1 ms at 12.034 s (generator late by 61.0 ms)
        generator  late by 61.0 ms at most, p99 1.4 ms; stalls above 50 ms: 1; connections reopened: 4
        ");
    }

    #[test]
    fn a_report_without_losses_says_so() {
        let quiet = Report {
            answered: 30_000,
            lost: BTreeMap::new(),
            by_version: [("v1".to_owned(), 14_000), ("v2".to_owned(), 16_000)].into(),
            longest_gap: Gap { start_us: 12_034_000, length_us: 43_100, lateness_us: 0 },
            gaps: Vec::new(),
            lateness: Lateness { p99_us: 1_400, max_us: 3_000, stalls: 0 },
            reopened: 0,
            ..report()
        };
        insta::assert_snapshot!(quiet, @"
        requests   30000 sent, 30000 answered, 0 lost
        versions   v1 14000, v2 16000
        latency    p50 21.2 ms, p90 22.0 ms, p99 25.1 ms, max 80.3 ms
        gap        longest 43.1 ms at 12.034 s; above 100 ms: 0
        generator  late by 3.0 ms at most, p99 1.4 ms; stalls above 50 ms: 0; connections reopened: 0
        ");
    }

    #[test]
    fn a_report_survives_json() {
        let json = serde_json::to_string(&report()).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report());
    }
}
