use super::{Story, deed};
use deploy_core::{
    engine::{State, StepState},
    model::{Op, ServiceName, Step},
};

/// How far one service is, for a bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Whose; empty for what belongs to all.
    pub(super) service: String,
    /// Steps that have ended.
    pub(super) done: u64,
    /// Steps there are.
    pub(super) of: u64,
    /// What goes on.
    pub(super) said: String,
}

/// One row a service that changes, in the order in which they begin.
pub(super) fn rows(story: &Story) -> Vec<Row> {
    let Some(state) = story.state() else { return Vec::new() };
    let plan = state.active();
    let mut rows: Vec<(Option<&ServiceName>, Row)> = Vec::new();
    for step in &plan.steps {
        let service = story.service_of(step);
        let at = rows.iter().position(|(of, _)| *of == service).unwrap_or_else(|| {
            let service_said = service.map_or("", |service| service.as_str()).to_owned();
            rows.push((service, Row { service: service_said, done: 0, of: 0, said: String::new() }));
            rows.len() - 1
        });
        let row = &mut rows[at].1;
        row.of += 1;
        match state.step(&step.id) {
            Some(StepState::Ended(_)) => row.done += 1,
            Some(StepState::Started) if row.said.is_empty() => row.said = going_on(story, step),
            _ => {}
        }
    }
    let mut rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
    for row in &mut rows {
        if row.said.is_empty() {
            row.said = resting(state, row);
        }
    }
    rows
}

fn going_on(story: &Story, step: &Step) -> String {
    match (&step.op, story.health(&step.id)) {
        (Op::Check { workload, .. }, Some(health)) => {
            let last = health.last.as_ref().filter(|_| health.healthy < health.of);
            let last = last.map(|last| format!("; {}", last.trim_end())).unwrap_or_default();
            format!("{}: {} of {} healthy{last}", story.names.of(&workload.release), health.healthy, health.of)
        }
        (op, health) => {
            let last = health.and_then(|health| health.last.as_ref()).filter(|_| matches!(op, Op::Await { .. }));
            let last = last.map(|last| format!("; {}", last.trim_end())).unwrap_or_default();
            format!("{}{last}", deed(step, &story.names))
        }
    }
}

fn resting(state: &State, row: &Row) -> String {
    match (row.done == row.of, state.unwinding().is_some()) {
        (true, false) => "done".into(),
        (true, true) => "back".into(),
        (false, _) => "waits".into(),
    }
}
