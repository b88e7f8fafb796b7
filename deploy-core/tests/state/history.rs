//! Journals that a deployment could have written, and what may follow in one: told from the events alone, without the
//! state that is tested against it.

use crate::arbitrary;
use deploy_core::{
    journal::Record,
    model::{
        Event, Expect, Fence, Guard, GuardId, Millis, ObjectRef, OnFailure, Op, Outcome, PLAN_FORMAT, Plan, Step,
        StepId, Undo, Watch, WorkloadRef,
    },
};
use proptest::{collection::vec, prelude::*, sample::Index};
use std::collections::BTreeMap;

/// Whether an event can come after those.
pub(crate) fn may_follow(before: &[Event], event: &Event) -> bool {
    let Some(first) = plan_of(before) else { return matches!(event, Event::Planned { .. }) };
    if before.iter().any(|event| matches!(event, Event::Ended(_))) {
        return false;
    }
    let active = way_back_of(before).unwrap_or(first);
    let last_of = |step: &StepId| {
        before.iter().rev().find(|event| match event {
            Event::StepStarted { step: of } | Event::StepEnded { step: of, .. } => of == step,
            _ => false,
        })
    };
    match event {
        Event::Planned { .. } => false,
        Event::StepStarted { step } => {
            active.step(step).is_some() && !matches!(last_of(step), Some(Event::StepEnded { .. }))
        }
        Event::StepEnded { step, .. } => {
            active.step(step).is_some() && matches!(last_of(step), Some(Event::StepStarted { .. }))
        }
        Event::GuardFailed { guard, .. } => first.guards.iter().any(|of| of.id == *guard),
        Event::Unwinding { .. } => way_back_of(before).is_none(),
        Event::LeaseTaken { .. } | Event::Suspended { .. } | Event::Ended(_) | Event::Unknown(_) => true,
    }
}

/// The plan that was made first.
pub(crate) fn plan_of(events: &[Event]) -> Option<&Plan> {
    match events.first() {
        Some(Event::Planned { plan }) => Some(plan),
        _ => None,
    }
}

/// The plan of the way back, once it has begun.
pub(crate) fn way_back_of(events: &[Event]) -> Option<&Plan> {
    events.iter().find_map(|event| match event {
        Event::Unwinding { plan, .. } => Some(&**plan),
        _ => None,
    })
}

/// As they would stand in a journal.
pub(crate) fn records(events: &[Event]) -> Vec<Record> {
    (1..).zip(events).map(|(seq, event)| Record::new(seq, Fence(1), event.clone())).collect()
}

/// A plan whose steps may wait for earlier ones, and whose undos can be told from each other.
pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let step = (any::<[bool; 5]>(), 0..4_u8, arbitrary::on_failure());
    (vec(step, 1..6), arbitrary::on_failure()).prop_map(|(steps, on_failure)| {
        let steps: Vec<_> = steps.into_iter().enumerate().map(|(at, of)| step_of(at, of)).collect();
        let guard = Guard {
            id: "bake".into(),
            watch: Watch::Check {
                workload: WorkloadRef { target: "host".into(), service: "web".into(), release: "web-1".into() },
                check: deploy_core::model::Named::new("running", serde_json::Value::Null),
                interval: Millis(500),
                failures: 1,
            },
            from: steps[0].id.clone(),
            until: steps[steps.len() - 1].id.clone(),
            on_failure,
        };
        Plan { guards: vec![guard], ..plan_with(steps) }
    })
}

fn plan_with(steps: Vec<Step>) -> Plan {
    Plan {
        format: PLAN_FORMAT,
        min_reader: 1,
        home: "host".into(),
        strategy: "rolling".into(),
        services: Vec::new(),
        basis: Vec::new(),
        steps,
        guards: Vec::new(),
    }
}

fn step_of(at: usize, (after, undo, on_failure): ([bool; 5], u8, OnFailure)) -> Step {
    let undone = |part| {
        let name = format!("{at}/{part}");
        Op::Delete { object: ObjectRef { target: "host".into(), kind: "undo".into(), name } }
    };
    Step {
        id: StepId::new(format!("step {at}")),
        stage: String::new(),
        after: (0..at)
            .filter(|earlier| after[*earlier])
            .map(|earlier| StepId::new(format!("step {earlier}")))
            .collect(),
        op: Op::Wait { time: Millis::ZERO },
        expect: Expect::default(),
        undo: match undo {
            0 => Undo::Nothing,
            1 => Undo::Do { ops: vec![undone(1), undone(2)] },
            2 => Undo::Keep { why: "it only adds".into() },
            _ => Undo::Barrier { why: "it can't be taken back".into() },
        },
        on_failure,
        deadline: Millis::from_secs(1),
    }
}

/// All that might come next, whether it may or not.
pub(crate) fn candidates(before: &[Event]) -> Vec<Event> {
    let plans = plan_of(before).into_iter().chain(way_back_of(before));
    let mut steps: Vec<_> = plans.flat_map(|plan| &plan.steps).map(|step| step.id.clone()).collect();
    steps.push("nobody knows it".into());
    let outcomes = [
        Outcome::Applied,
        Outcome::Coincided,
        Outcome::Failed { reason: "the disk is full".into() },
        Outcome::Conflict { expected: "2 of web-1".into(), found: "3 of web-1".into() },
    ];
    let ends = steps.iter().flat_map(|step| {
        outcomes.iter().map(|outcome| Event::StepEnded { step: step.clone(), outcome: outcome.clone() })
    });
    let guard = |id: &str| Event::GuardFailed { guard: GuardId::new(id), reason: "it answered 500".into() };
    let started: Vec<_> = steps
        .iter()
        .filter(|step| before.contains(&Event::StepStarted { step: (*step).clone() }))
        .map(|step| Step { id: StepId::new(format!("undo {step}")), ..step_of(0, ([false; 5], 0, OnFailure::Halt)) })
        .collect();
    let starts = steps.iter().map(|step| Event::StepStarted { step: step.clone() });
    starts
        .chain(ends)
        .chain([guard("bake"), guard("nobody knows it")])
        .chain([
            Event::Planned { plan: Box::new(plan_with(Vec::new())) },
            Event::LeaseTaken {
                fences: BTreeMap::from([("host".into(), Fence(before.len() as u64))]),
                holder: "a test".into(),
            },
            Event::Unwinding { plan: Box::new(plan_with(started)), reason: "it was interrupted".into() },
            Event::Suspended { reason: "interrupted".into() },
            Event::Unknown(serde_json::json!({"event": "approval-asked-for", "whom": "ops"})),
            Event::Ended(deploy_core::model::End::Succeeded),
        ])
        .collect()
}

/// A journal of some length; the earlier it ends, the more likely.
pub(crate) fn journal() -> impl Strategy<Value = Vec<Event>> {
    (plan(), vec(any::<Index>(), 0..24)).prop_map(|(plan, choices)| {
        let mut events = vec![Event::Planned { plan: Box::new(plan) }];
        for choice in choices {
            let mut next = candidates(&events);
            next.retain(|event| may_follow(&events, event));
            if next.is_empty() {
                break;
            }
            events.push(choice.get(&next).clone());
        }
        events
    })
}
