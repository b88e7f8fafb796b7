//! Requests beside a deployment, and what they say of it.

use super::{Faults, Project, ShowError, docker::Docker};
use deploy_cli::demo::load::{self, Load, LoadConfig, Mode, Report};
use std::time::Duration;
use tokio::time::sleep;

/// Traffic before and after what is measured, so that its begin and its end are measured too.
const MARGIN: Duration = Duration::from_millis(700);
/// The longest gap that is no fault, in microseconds.
const GAP_US: u64 = 100_000;
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

/// Judges a report: nothing may be lost, and no gap be longer than 100 ms.
pub fn judge(report: &Report) -> Judgement {
    match report.lost_total() == 0 && report.longest_gap.length_us <= GAP_US {
        true => Judgement::Good,
        false if report.generator_stalled() => Judgement::GeneratorLate,
        false => Judgement::Bad,
    }
}

/// What is wrong with a report.
pub fn note(report: &Report, faults: &mut Faults) {
    faults.unless(report.lost_total() == 0, || {
        let lost: Vec<_> = report.lost.iter().map(|(loss, count)| format!("{loss} {count}")).collect();
        format!("lost {}", lost.join(", "))
    });
    faults.unless(report.longest_gap.length_us <= GAP_US, || format!("gap {}", report.longest_gap));
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
