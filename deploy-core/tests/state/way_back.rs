use crate::history::{plan, records};
use deploy_core::{
    engine::State,
    model::{Event, Op, Outcome, Plan, Step, StepId, Undo},
    rollback::{Rollback, Unwind},
};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeSet;

/// What became of a step before the way back was planned.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    NeverRan,
    InFlight,
    Ended(Outcome),
}

fn fate() -> impl Strategy<Value = Fate> {
    let conflict = Outcome::Conflict { expected: "2 of web-1".into(), found: "none".into() };
    prop_oneof![
        1 => Just(Fate::NeverRan),
        1 => Just(Fate::InFlight),
        3 => Just(Fate::Ended(Outcome::Applied)),
        1 => Just(Fate::Ended(Outcome::Resumed)),
        1 => Just(Fate::Ended(Outcome::Coincided)),
        1 => Just(Fate::Ended(Outcome::Failed { reason: "the disk is full".into() })),
        1 => Just(Fate::Ended(conflict)),
    ]
}

fn events(plan: &Plan, fates: &[Fate]) -> Vec<Event> {
    let mut events = vec![Event::Planned { plan: Box::new(plan.clone()) }];
    for (step, fate) in plan.steps.iter().zip(fates) {
        let step = step.id.clone();
        match fate {
            Fate::NeverRan => {}
            Fate::InFlight => events.push(Event::StepStarted { step }),
            Fate::Ended(outcome) => {
                events.push(Event::StepStarted { step: step.clone() });
                events.push(Event::StepEnded { step, outcome: outcome.clone() });
            }
        }
    }
    events
}

/// All that a step waits for, directly or not.
fn waits_for<'a>(plan: &'a Plan, step: &'a Step) -> BTreeSet<&'a StepId> {
    let direct = step.after.iter().filter_map(|id| plan.step(id));
    direct.flat_map(|before| waits_for(plan, before).into_iter().chain([&before.id])).collect()
}

/// The steps that undo one.
fn undoing<'a>(back: &'a Plan, step: &Step) -> Vec<&'a Step> {
    let Undo::Do { ops } = &step.undo else { return Vec::new() };
    back.steps.iter().filter(|undo| ops.contains(&undo.op)).collect()
}

/// Whether the step may have had an effect, and by us.
fn is_ours(fate: &Fate) -> bool {
    !matches!(fate, Fate::NeverRan | Fate::Ended(Outcome::Coincided | Outcome::Conflict { .. }))
}

proptest! {
    #[test]
    fn the_way_back_undoes_what_we_did_up_to_the_last_barrier(plan in plan(), fates in vec(fate(), 5)) {
        let state = State::replay(&records(&events(&plan, &fates))).unwrap().unwrap();
        let back = Unwind.plan(&state).unwrap();
        let ours: Vec<_> = plan.steps.iter().zip(&fates).map(|(step, fate)| (step, is_ours(fate))).collect();
        let barrier = ours.iter().rposition(|(step, ours)| *ours && matches!(step.undo, Undo::Barrier { .. }));
        let mut undone = 0;
        for (at, (step, ours)) in ours.iter().enumerate() {
            let expected: &[Op] = match &step.undo {
                Undo::Do { ops } if *ours && barrier.is_none_or(|barrier| at > barrier) => ops,
                _ => &[],
            };
            let found: Vec<_> = undoing(&back, step).into_iter().map(|undo| undo.op.clone()).collect();
            prop_assert_eq!(&found, expected, "the undo of {}", &step.id);
            undone += found.len();
        }
        prop_assert_eq!(back.steps.len(), undone, "and nothing else");
    }

    #[test]
    fn what_came_last_is_undone_first(plan in plan(), fates in vec(fate(), 5)) {
        let state = State::replay(&records(&events(&plan, &fates))).unwrap().unwrap();
        let back = Unwind.plan(&state).unwrap();
        for step in &plan.steps {
            let undos = undoing(&back, step);
            for parts in undos.windows(2) {
                prop_assert!(waits_for(&back, parts[1]).contains(&parts[0].id), "the parts of {} in order", &step.id);
            }
            for before in waits_for(&plan, step).into_iter().filter_map(|id| plan.step(id)) {
                let after = undoing(&back, before).into_iter().map(|undo| waits_for(&back, undo));
                for waited_for in after {
                    let all = undos.iter().all(|undo| waited_for.contains(&undo.id));
                    prop_assert!(all, "{} is undone before {}", &step.id, &before.id);
                }
            }
        }
    }
}
