//! Requests beside a deployment, and what they say of it.

use super::{Faults, Project, ShowError, docker::Docker};
use deploy_cli::demo::load::{self, Load, LoadConfig, Loss, Mode, Report};
use std::time::Duration;
use tokio::time::sleep;

/// Traffic before and after what is measured, so that its begin and its end are measured too.
const MARGIN: Duration = Duration::from_millis(700);
/// How often a run is repeated in which the generator itself was more than 50 ms late.
pub const REPEATS: usize = 3;

/// Which connections requests are sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// 16 that are kept.
    Kept,
    /// One a request.
    Each,
}

impl Connections {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Kept, Self::Each];

    /// As tables say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "keep-alive",
            Self::Each => "one a request",
        }
    }
}

/// Requests that are sent until [`stop`](Self::stop).
#[derive(Debug)]
pub struct Traffic(Sender);

#[derive(Debug)]
enum Sender {
    Here(Load),
    Container { docker: Docker, id: String },
}

impl Traffic {
    /// Begins to send from this machine, and lets a moment pass.
    ///
    /// # Errors
    /// Where there is no thread for it.
    pub async fn outside(project: &Project, rate: u32, connections: Connections) -> Result<Self, ShowError> {
        let mut config = LoadConfig::new([project.url()], rate);
        if connections == Connections::Each {
            config.mode = Mode::ConnectionPerRequest;
        }
        let load = load::start(config)?;
        sleep(MARGIN).await;
        Ok(Self(Sender::Here(load)))
    }

    /// Begins to send from another container of the project, by the service's name, and lets a moment pass.
    ///
    /// # Errors
    /// Where the Engine doesn't start it.
    pub async fn inside(project: &Project, rate: u32, connections: Connections) -> Result<Self, ShowError> {
        let rate = rate.to_string();
        let mut words = vec!["demo-load", "http://web:8080/", "--rate", &rate, "--output", "json"];
        words.extend((connections == Connections::Each).then_some("--connection-per-request"));
        let docker = project.place().docker()?.clone();
        let id = docker.start(&project.named("load"), &words, &[]).await?;
        sleep(MARGIN).await;
        Ok(Self(Sender::Container { docker, id }))
    }

    /// Good answers of a version so far, up to date to 20 ms; unknown for requests from a container.
    pub fn answered_by(&self, version: &str) -> Option<u64> {
        match &self.0 {
            Sender::Here(load) => Some(load.progress().by_version.get(version).copied().unwrap_or_default()),
            Sender::Container { .. } => None,
        }
    }

    /// Lets a moment pass, and ends.
    ///
    /// # Errors
    /// Where the generator died or its report can't be read.
    pub async fn stop(self) -> Result<Report, ShowError> {
        sleep(MARGIN).await;
        match self.0 {
            Sender::Here(load) => {
                load.stop();
                Ok(load.report().await?)
            }
            Sender::Container { docker, id } => {
                let said = docker.end(&id).await?;
                let report = said.lines().rev().find_map(|line| serde_json::from_str(line).ok());
                report.ok_or_else(|| ShowError::Unexpected {
                    what: "read the report of the load's container".into(),
                    expected: "a line of JSON".into(),
                    found: said,
                })
            }
        }
    }
}

/// What traffic says of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing was lost, and nothing was slow.
    Good,
    /// Not good, but the generator itself was late, which may be why.
    GeneratorLate,
    /// Requests were lost, or there was a gap.
    Bad,
}

/// Judges a report: nothing may be lost, and no gap be longer than so many milliseconds. A gap may be the fault of a late
/// generator, and so may a request that it didn't send; one that it sent and that was lost is never.
pub fn judge(report: &Report, longest_gap: u64) -> Judgement {
    let is_own = |loss: &Loss| matches!(loss, Loss::Local | Loss::Overrun);
    match report.generator_stalled() && report.lost.keys().all(is_own) {
        _ if report.lost.is_empty() && !is_gap(report, longest_gap) => Judgement::Good,
        true => Judgement::GeneratorLate,
        false => Judgement::Bad,
    }
}

fn is_gap(report: &Report, longest_gap: u64) -> bool {
    report.longest_gap.length_us > longest_gap * 1_000
}

/// What is wrong with a report.
pub fn note(report: &Report, longest_gap: u64, faults: &mut Faults) {
    faults.unless(report.lost_total() == 0, || {
        let lost: Vec<_> = report.lost.iter().map(|(loss, count)| format!("{loss} {count}")).collect();
        format!("lost {}", lost.join(", "))
    });
    faults.unless(!is_gap(report, longest_gap), || format!("gap {}", report.longest_gap));
}

/// The cells for requests sent and lost, the longest gap and how late the generator was, in milliseconds.
pub fn cells(report: &Report) -> [String; 4] {
    let ms = |us: u64| (us / 1_000).to_string();
    [
        report.sent.to_string(),
        report.lost_total().to_string(),
        ms(report.longest_gap.length_us),
        ms(report.lateness.max_us),
    ]
}

/// The headings of [`cells`].
pub const HEADINGS: [&str; 4] = ["sent___", "lost", "gap ms", "late ms"];

/// Milliseconds as seconds.
pub fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A report with this longest gap, this lost, and this often a late generator.
    fn report(gap_us: u64, lost: serde_json::Value, stalls: u64) -> Report {
        let report = json!({
            "started": "2026-01-01T00:00:00Z", "duration_us": 1, "sent": 9, "answered": 9, "lost": lost, "by_version": {},
            "latency": { "p50_us": 1, "p90_us": 1, "p99_us": 1, "max_us": 1 },
            "longest_gap": { "start_us": 0, "length_us": gap_us, "lateness_us": 0 }, "gaps": [],
            "lateness": { "p99_us": 1, "max_us": 1, "stalls": stalls }, "reopened": 0,
        });
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn a_late_generator_excuses_gaps_and_what_it_did_not_send_and_nothing_else() {
        let judged = |gap_us, lost, stalls| judge(&report(gap_us, lost, stalls), 100);
        assert_eq!(judged(100_000, json!({}), 1), Judgement::Good);
        assert_eq!(judged(100_001, json!({}), 0), Judgement::Bad);
        assert_eq!(judged(100_001, json!({}), 1), Judgement::GeneratorLate);
        assert_eq!(judged(1, json!({ "overrun": 1, "local": 1 }), 1), Judgement::GeneratorLate);
        assert_eq!(judged(1, json!({ "overrun": 1 }), 0), Judgement::Bad);
        assert_eq!(judged(1, json!({ "overrun": 1, "status-502": 1 }), 1), Judgement::Bad);
    }
}
