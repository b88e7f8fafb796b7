use super::{Names, letter::changing, table::table, text};
use deploy_core::{
    engine::Deployment,
    model::{DeploymentId, End},
};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

/// One deployment, as `history` shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Entry {
    /// Its number.
    pub deployment: DeploymentId,
    /// When it was planned.
    pub began: Timestamp,
    /// When its last event happened.
    pub last: Timestamp,
    /// The strategy's name; empty where the journal can't be understood.
    pub strategy: String,
    /// The releases that it was to bring, as people call them; what was unchanged is left out.
    pub wanted: Vec<String>,
    /// How it ended; absent while it runs or was interrupted.
    pub end: Option<End>,
    /// Why it waits to be carried on.
    pub suspended: Option<String>,
}

impl Entry {
    /// Reads it from the journal's state.
    pub fn new(deployment: &Deployment) -> Self {
        let state = deployment.state.as_ref();
        let mut names = Names::new();
        let wanted = state.map(|state| {
            let plan = state.plan();
            names.know_plan(plan);
            changing(plan)
                .map(|spec| match spec.release.version.as_str() {
                    "" => format!("{} #{}", spec.release.service, deployment.id),
                    _ => format!("{} {}", spec.release.service, names.of(&spec.release.id)),
                })
                .collect()
        });
        Self {
            deployment: deployment.id,
            began: deployment.began,
            last: deployment.last,
            strategy: state.map(|state| state.plan().strategy.clone()).unwrap_or_default(),
            wanted: wanted.unwrap_or_default(),
            end: state.and_then(|state| state.end().cloned()),
            suspended: state.and_then(|state| state.suspended().map(str::to_owned)),
        }
    }

    /// How it ended, and why, on one line whatever was said.
    fn outcome(&self) -> String {
        let outcome = match (&self.end, &self.suspended) {
            _ if self.strategy.is_empty() => "its journal can't be understood".into(),
            (Some(End::Succeeded), _) => "done".into(),
            (Some(End::RolledBack { why }), _) => format!("taken back: {why}"),
            (Some(End::Cancelled { why }), _) => format!("cancelled: {why}"),
            (Some(End::Halted { why }), _) => format!("halted: {why}"),
            (Some(End::Stuck { why }), _) => format!("stuck: {why}"),
            (None, Some(why)) => format!("suspended: {why}"),
            (None, None) => "under way, or interrupted".into(),
        };
        outcome.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// `deployment 8 (rolling, web v2) done at 2026-11-21 08:12:03`.
    pub(crate) fn sentence(&self) -> String {
        let wanted = match self.wanted.is_empty() {
            true => String::new(),
            false => format!(", {}", text::list(&self.wanted)),
        };
        format!("deployment {} ({}{wanted}), {}, {}", self.deployment, self.strategy, when(self.last), self.outcome())
    }
}

/// A line a deployment, as given.
pub fn history(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "nothing was deployed yet\n".into();
    }
    let row = |entry: &Entry| {
        vec![
            format!("#{}", entry.deployment),
            when(entry.began),
            entry.strategy.clone(),
            text::list(&entry.wanted),
            entry.outcome(),
        ]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    table(&["number", "began", "strategy", "releases", "end"], &rows)
}

/// In the zone of whoever reads it.
pub(super) fn when(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
