//! A plan as a short letter: what will happen in order, how long it may take, and the way back.

mod back;
mod items;
mod rounds;
mod sentences;
#[cfg(test)]
mod tests;

use super::{
    Names,
    deed::{PROXY, applied, is_there},
    text,
};
use deploy_core::model::{Count, Fact, Millis, OnFailure, Op, Plan, ReleaseId, ServiceName, ServiceSpec, Step, StepId};
use std::{collections::BTreeMap, fmt::Write};

/// Tells a plan to people: one block a service, however many steps it has.
pub fn letter(plan: &Plan, names: &Names) -> String {
    let mut letter = String::new();
    let changing = changing(plan).count();
    let verdict = match (changing, plan.services.len()) {
        (0, _) if plan.steps.is_empty() => ", nothing to do: everything is as wanted".into(),
        (0, _) => ", no service to change".into(),
        (changing, of) => format!(", {changing} of {} to change", text::count(of as u64, "service")),
    };
    // writing to a string doesn't fail
    let title = format!("Plan for {}", plan.home);
    let _ = writeln!(letter, "{}: {}{verdict}", text::heading(&title, &title), plan.strategy);
    let first = before(plan, names);
    if !first.is_empty() {
        letter.push('\n');
        letter.push_str(&section("First", &first.join("; ")));
    }
    let (changing, unchanged): (Vec<_>, Vec<_>) = in_order(plan).into_iter().partition(|spec| is_changing(plan, spec));
    for spec in changing {
        letter.push('\n');
        letter.push_str(&block(plan, spec, names));
    }
    if !unchanged.is_empty() {
        let unchanged: Vec<_> = unchanged.into_iter().map(|spec| as_it_is(spec, names)).collect();
        letter.push('\n');
        letter.push_str(&section("Unchanged", &unchanged.join(", ")));
    }
    let last = after(plan);
    if !last.is_empty() {
        letter.push('\n');
        letter.push_str(&section("Last", &format!("{}, which nothing stands on any more", text::list(&last))));
    }
    if !plan.steps.is_empty() {
        letter.push('\n');
        letter.push_str(&section("How long", &how_long(plan)));
        letter.push_str(&section("Way back", &back::way_back(plan, names)));
    }
    letter
}

fn section(title: &str, words: &str) -> String {
    text::heading(&text::wrap(&format!("{title}  "), words), title)
}

/// The services that change, in the order in which they do, and then the others. What lives in another's instances comes
/// after it, though it ends before.
fn in_order(plan: &Plan) -> Vec<&ServiceSpec> {
    let first = |spec: &ServiceSpec| plan.steps.iter().position(|step| starts(step, spec)).unwrap_or(usize::MAX);
    let mut services: Vec<_> = plan.services.iter().collect();
    services.sort_by_key(|spec| {
        let others = spec.lives_in.iter().filter_map(|name| plan.service(name)).map(first);
        (others.chain([first(spec)]).max(), !spec.lives_in.is_empty())
    });
    services
}

/// One that stays: `db 17 (2 instances)`.
fn as_it_is(spec: &ServiceSpec, names: &Names) -> String {
    let service = format!("{} {}", spec.release.service, names.of(&spec.release.id));
    match spec.count {
        Count::Exactly(count) if count != 1 => format!("{service} ({})", text::count(count, "instance")),
        _ => service,
    }
}

/// Whether it is one of the service's steps that isn't prepared before.
fn starts(step: &Step, spec: &ServiceSpec) -> bool {
    step.op.service() == Some(&spec.release.service) && !matches!(step.op, Op::Store { .. })
}

/// The steps that are about a service, in order.
fn steps_of<'a>(plan: &'a Plan, service: &ServiceName) -> Vec<&'a Step> {
    let order = plan.in_order().unwrap_or_else(|_| plan.steps.iter().collect());
    order.into_iter().filter(|step| service_of(plan, step) == Some(service)).collect()
}

/// Whose step it is: a wait belongs to what it comes after, and so does what takes its place or goes in between.
pub(super) fn service_of<'a>(plan: &'a Plan, step: &'a Step) -> Option<&'a ServiceName> {
    match &step.op {
        Op::Delete { .. } if is_last(step) => None,
        Op::Wait { .. } | Op::Await { .. } | Op::Apply { .. } | Op::Delete { .. } => {
            step.after.iter().filter_map(|id| plan.step(id)).find_map(|before| service_of(plan, before))
        }
        op => op.service(),
    }
}

/// The services for which there is something to do.
pub(super) fn changing(plan: &Plan) -> impl Iterator<Item = &ServiceSpec> {
    plan.services.iter().filter(|spec| is_changing(plan, spec))
}

fn is_changing(plan: &Plan, spec: &ServiceSpec) -> bool {
    !steps_of(plan, &spec.release.service).is_empty()
}

/// What is prepared for everybody: configurations stored and objects made.
fn before(plan: &Plan, names: &Names) -> Vec<String> {
    let stored = plan.steps.iter().filter_map(|step| match &step.op {
        Op::Store { workload, release } => Some(format!("{} {}", workload.service, names.of(&release.id))),
        _ => None,
    });
    let stored = stored.collect::<Vec<_>>();
    let (mut made, mut changed, mut awaited): (BTreeMap<&str, Vec<&str>>, Vec<String>, Vec<String>) =
        Default::default();
    for step in plan.steps.iter().filter(|step| service_of(plan, step).is_none()) {
        match &step.op {
            Op::Apply { object } if is_there(step) => changed.push(applied(step, &object.object)),
            Op::Apply { object } => made.entry(&object.object.kind).or_default().push(&object.object.name),
            Op::Await { object, .. } => awaited.push(format!("the {object}")),
            _ => {}
        }
    }
    let stored = (!stored.is_empty()).then(|| format!("store the configuration of {}", text::list(&stored)));
    let made: Vec<_> = made.into_iter().map(|(kind, names)| several(kind, &names)).collect();
    let made = (!made.is_empty()).then(|| format!("make {}", text::list(&made)));
    let awaited = (!awaited.is_empty()).then(|| format!("wait for {}", text::list(&awaited)));
    stored.into_iter().chain(made).chain(changed).chain(awaited).collect()
}

/// Objects of a kind: `the networks back and front`.
fn several(kind: &str, names: &[&str]) -> String {
    let plural = match (kind, names.len()) {
        (_, 1) => kind.to_owned(),
        (PROXY, _) => "proxies".to_owned(),
        _ => format!("{kind}s"),
    };
    let of = if kind == PROXY { "of " } else { "" };
    format!("the {plural} {of}{}", text::list(names))
}

/// What is deleted when all else is done.
fn after(plan: &Plan) -> Vec<String> {
    let last = plan.steps.iter().filter(|step| is_last(step));
    last.filter_map(|step| match &step.op {
        Op::Delete { object } => Some(format!("remove the {object}")),
        _ => None,
    })
    .collect()
}

/// Whether a step only clears away: where it fails, the deployment succeeds all the same.
fn is_last(step: &Step) -> bool {
    step.on_failure == OnFailure::Continue
}

/// One service: what becomes of it, how it is treated and why, and its steps.
fn block(plan: &Plan, spec: &ServiceSpec, names: &Names) -> String {
    let service = &spec.release.service;
    let mut block = section(service.as_str(), &headline(plan, spec, names));
    for note in &spec.notes {
        block.push_str(&text::wrap("   · ", note));
    }
    let items = items::items(plan, &steps_of(plan, service));
    let moves = moves_with(plan, spec);
    let lines = sentences::lines(&rounds::rounds(items), &sentences::Context { spec, names, moves: &moves });
    for (index, line) in lines.iter().enumerate() {
        block.push_str(&text::wrap(&format!("  {:>2}. ", index + 1), line));
    }
    block
}

/// What becomes of a service: `v1 → v2, 4 instances`.
fn headline(plan: &Plan, spec: &ServiceSpec, names: &Names) -> String {
    let release = names.of(&spec.release.id);
    let (olds, now) = there(plan, spec);
    let mut parts = match (is_changing(plan, spec), olds.as_slice(), now) {
        (false, ..) => vec![format!("{release}, unchanged")],
        (true, [], 0) => vec![format!("{release}, which is new here")],
        (true, [], _) => vec![release],
        (true, olds, _) => {
            let olds: Vec<_> = olds.iter().map(|id| names.of(id)).collect();
            vec![format!("{} → {release}", text::list(&olds))]
        }
    };
    match (&spec.count, now) {
        (Count::Exactly(count), now) if now > 0 && *count != now => {
            parts.push(format!("{now} → {}", text::count(*count, "instance")));
        }
        (Count::Exactly(count), _) => parts.push(text::count(*count, "instance")),
        _ => {}
    }
    let moves = moves_with(plan, spec);
    let changes = |need: &&ServiceName| plan.service(need).is_some_and(|other| is_changing(plan, other));
    let waits: Vec<_> = spec
        .needs
        .iter()
        .filter(changes)
        .filter(|need| !moves.contains(&need.as_str()))
        .map(|need| need.as_str())
        .collect();
    if is_changing(plan, spec) && !waits.is_empty() {
        let are = if waits.len() == 1 { "is" } else { "are" };
        parts.push(format!("once {} {are} healthy", text::list(&waits)));
    }
    parts.join(", ")
}

/// The services in whose instances it lives and that change: it ends before theirs do, and starts in the new ones.
fn moves_with<'a>(plan: &'a Plan, spec: &'a ServiceSpec) -> Vec<&'a str> {
    let changes = |name: &&ServiceName| plan.service(name).is_some_and(|other| is_changing(plan, other));
    let (olds, now) = there(plan, spec);
    match olds.is_empty() && now == 0 {
        true => Vec::new(),
        false => spec.lives_in.iter().filter(changes).map(|name| name.as_str()).collect(),
    }
}

/// The other releases that run, and how many instances of the wanted one do, as the plan found it.
fn there<'a>(plan: &'a Plan, spec: &ServiceSpec) -> (Vec<&'a ReleaseId>, u32) {
    let (mut olds, mut now) = (Vec::new(), 0);
    for fact in &plan.basis {
        match fact {
            Fact::Asked { workload, min, .. } if workload.service == spec.release.service && *min > 0 => {
                match workload.release == spec.release.id {
                    true => now = *min,
                    false => olds.push(&workload.release),
                }
            }
            _ => {}
        }
    }
    (olds, now)
}

/// The longest way through the steps, by their deadlines.
fn how_long(plan: &Plan) -> String {
    let mut ends: BTreeMap<&StepId, u64> = BTreeMap::new();
    for step in plan.in_order().unwrap_or_default() {
        let begins = step.after.iter().filter_map(|id| ends.get(id)).max().copied().unwrap_or(0);
        ends.insert(&step.id, begins.saturating_add(step.deadline.0));
    }
    let most = Millis(ends.into_values().max().unwrap_or(0));
    let most = text::tied(Millis(most.0.next_multiple_of(1000)));
    format!("as long as the new instances take to start; at most {most}, if every wait ran to its end")
}
