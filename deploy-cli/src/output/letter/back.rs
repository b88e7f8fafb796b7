use super::{service_of, steps_of};
use crate::output::{
    Names,
    deed::{PROXY, is_there, routed},
    text,
};
use deploy_core::model::{Count, OnFailure, Op, Plan, ServiceName, Step, Undo};

/// What happens when a step fails, and what may be done afterwards.
pub(super) fn way_back(plan: &Plan, names: &Names) -> String {
    let mut sentences = Vec::new();
    let services = plan.releases().map(|release| &release.service);
    let mut undone: Vec<_> = services.filter_map(|service| undone(plan, service, names)).collect();
    let of_nobody = plan.steps.iter().filter(|step| service_of(plan, step).is_none() && is_there(step));
    undone.extend(of_nobody.filter_map(|step| match &step.op {
        Op::Apply { object } if object.object.kind == PROXY => {
            Some(format!("{}: its proxy is exchanged back", object.object.name))
        }
        Op::Apply { object } => Some(format!("the {} is changed back", object.object)),
        _ => None,
    }));
    match undone.is_empty() {
        true => sentences.push("there is nothing to take back if a step fails.".to_owned()),
        false => sentences.push(format!("if a step fails, or on Ctrl-C: {}.", undone.join("; "))),
    }
    for step in &plan.steps {
        match &step.undo {
            Undo::Barrier { why } => sentences.push(format!("It goes back no further than {}: {why}.", step.id)),
            Undo::Keep { why } => sentences.push(format!("What {} did stays: {why}.", step.id)),
            Undo::Nothing | Undo::Do { .. } => {}
        }
    }
    let halting: Vec<_> = plan.steps.iter().filter(|step| step.on_failure == OnFailure::Halt).collect();
    if let Some(last) = last_words(plan, &halting, names) {
        sentences.push(last);
    }
    if undone.iter().any(|said| said.contains("requests go back to")) {
        sentences.push("Later: `deploy rollback`.".into());
    }
    sentences.join(" ")
}

/// How one service's steps are undone; nothing where none needs to be.
fn undone(plan: &Plan, service: &ServiceName, names: &Names) -> Option<String> {
    let steps = steps_of(plan, service);
    let undos = |step: &&&Step| matches!(step.undo, Undo::Do { .. });
    let ops = steps.iter().filter(undos).flat_map(|step| match &step.undo {
        Undo::Do { ops } => ops.iter().map(|op| (&step.op, op)).collect(),
        _ => Vec::new(),
    });
    let (mut requests, mut again, mut leaves, mut front) = (None, Vec::new(), None, None);
    for (done, op) in ops {
        match op {
            // the first one is the last on the way back
            Op::Route { shares, .. } => {
                let _ = requests.get_or_insert_with(|| match shares.is_empty() {
                    true => "it gets no requests".to_owned(),
                    false => {
                        format!("requests go back to {}", routed(shares, names).replacen("all requests to ", "", 1))
                    }
                });
            }
            Op::Remove { workload, keep } => {
                let how = if *keep { "is stopped and kept" } else { "is removed" };
                leaves = Some(format!("{} {how}", names.of(&workload.release)));
            }
            Op::Ensure { workload, count } => {
                let new = plan.service(service).is_some_and(|spec| spec.release.id == workload.release);
                let name = names.of(&workload.release);
                match (new, count) {
                    (true, Count::Exactly(count)) => {
                        leaves.get_or_insert(format!("{name} has {} again", text::count(*count, "instance")));
                    }
                    (true, _) => {}
                    (false, _) => again.push(format!("{name} runs whole again")),
                }
            }
            Op::Apply { object } if object.object.kind == PROXY => {
                let how = if matches!(done, Op::Delete { .. }) { "made again" } else { "exchanged back" };
                front = Some(format!("its proxy is {how}"));
            }
            Op::Replace { workload, .. } => again.push(format!("{} is put back in place", names.of(&workload.release))),
            _ => {}
        }
    }
    again.dedup();
    let parts: Vec<_> = again.into_iter().chain(front).chain(requests).chain(leaves).collect();
    (!parts.is_empty()).then(|| format!("{service}: {}", text::list(&parts)))
}

/// From when on a failure halts.
fn last_words(plan: &Plan, halting: &[&Step], names: &Names) -> Option<String> {
    let services: Vec<_> = halting.iter().filter_map(|step| service_of(plan, step)).map(|name| name.as_str()).collect();
    let mut services = services;
    services.dedup();
    let release = match plan.services.as_slice() {
        [one] => names.of(&one.release.id),
        _ => "the new release".into(),
    };
    (!services.is_empty()).then(|| {
        format!(
            "Once only the old instances of {} are left to stop, a failure halts instead: {release} serves by then.",
            text::list(&services)
        )
    })
}
