use crate::{
    arbitrary,
    history::{candidates, journal, may_follow, plan_of, records, way_back_of},
};
use deploy_core::{
    engine::{State, StateError, StepState},
    model::{Event, OnFailure, Outcome},
};
use proptest::prelude::*;

/// Equal states print alike.
fn printed(state: &State) -> String {
    format!("{state:?}")
}

fn state_after(events: &[Event]) -> State {
    State::replay(&records(events)).expect("they follow each other").expect("there is a first one")
}

/// The first failure in the plan that runs that isn't to be ignored.
fn trouble(events: &[Event]) -> Option<OnFailure> {
    let since = events.iter().rposition(|event| matches!(event, Event::Unwinding { .. })).unwrap_or(0);
    let first = plan_of(events)?;
    let active = way_back_of(events).unwrap_or(first);
    let policies = events[since..].iter().filter_map(|event| match event {
        Event::StepEnded { step, outcome: Outcome::Failed { .. } | Outcome::Conflict { .. } } => {
            active.step(step).map(|step| step.on_failure)
        }
        Event::GuardFailed { guard, .. } => first.guards.iter().find(|of| of.id == *guard).map(|of| of.on_failure),
        _ => None,
    });
    policies.into_iter().find(|policy| *policy != OnFailure::Continue)
}

proptest! {
    #[test]
    fn every_prefix_replays_to_the_fold_over_it(events in journal()) {
        let mut state = State::begin(&events[0]).unwrap();
        for end in 1..=events.len() {
            if end > 1 {
                state = state.apply(&events[end - 1]).unwrap();
            }
            let replayed = state_after(&events[..end]);
            prop_assert_eq!(printed(&replayed), printed(&state));
            prop_assert_eq!(state.seq(), end as u64);
        }
    }

    #[test]
    fn what_cannot_follow_is_refused_and_all_else_accepted(events in journal()) {
        let state = state_after(&events);
        for event in candidates(&events) {
            match state.apply(&event) {
                Ok(_) => prop_assert!(may_follow(&events, &event), "{event:?} was accepted"),
                Err(StateError::Impossible { seq, .. }) => {
                    prop_assert!(!may_follow(&events, &event), "{event:?} was refused");
                    prop_assert_eq!(seq, events.len() as u64 + 1);
                }
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }

    #[test]
    fn nothing_but_a_plan_comes_first(event in arbitrary::event()) {
        let planned = matches!(event, Event::Planned { .. });
        match State::begin(&event) {
            Ok(state) => prop_assert_eq!((planned, state.seq()), (true, 1)),
            Err(error) => {
                prop_assert!(!planned);
                prop_assert!(matches!(error, StateError::NoPlan { .. }), "{error}");
            }
        }
    }

    #[test]
    fn the_state_tells_what_happened_last(events in journal()) {
        let state = state_after(&events);
        let last = |of: &dyn Fn(&Event) -> bool| events.iter().rev().find(|event| of(event));
        for step in events.iter().filter_map(|event| match event {
            Event::StepStarted { step } => Some(step),
            _ => None,
        }) {
            let ended = last(&|event| matches!(event, Event::StepEnded { step: of, .. } if of == step));
            let expected = match ended {
                Some(Event::StepEnded { outcome, .. }) => StepState::Ended(outcome.clone()),
                _ => StepState::Started,
            };
            prop_assert_eq!(state.step(step), Some(&expected));
        }
        let taken = last(&|event| matches!(event, Event::LeaseTaken { .. }));
        match taken {
            Some(Event::LeaseTaken { fences, .. }) => prop_assert_eq!(state.fences(), fences),
            _ => prop_assert!(state.fences().is_empty()),
        }
        let rests = last(&|event| matches!(event, Event::LeaseTaken { .. } | Event::Suspended { .. }));
        prop_assert_eq!(state.suspended().is_some(), matches!(rests, Some(Event::Suspended { .. })));
        let goes_back = last(&|event| matches!(event, Event::Unwinding { .. }));
        prop_assert_eq!(state.unwinding().is_some(), goes_back.is_some());
        prop_assert_eq!(&**state.active(), way_back_of(&events).unwrap_or(state.plan()));
        prop_assert_eq!(Some(state.plan()), plan_of(&events));
        prop_assert_eq!(state.end().is_some(), matches!(events.last(), Some(Event::Ended(_))));
    }

    #[test]
    fn the_first_failure_that_matters_is_the_trouble(events in journal()) {
        let state = state_after(&events);
        prop_assert_eq!(state.trouble().map(|trouble| trouble.policy), trouble(&events));
    }

    #[test]
    fn what_a_newer_version_added_changes_nothing_else(events in journal(), newer in arbitrary::newer_event()) {
        let state = state_after(&events);
        if state.end().is_none() {
            let after = state.apply(&newer).unwrap();
            let counted = printed(&state).replace(&format!("seq: {}", state.seq()), &format!("seq: {}", after.seq()));
            prop_assert_eq!(printed(&after), counted);
        }
    }
}

#[test]
fn no_record_is_no_deployment() {
    assert!(State::replay(&[]).unwrap().is_none());
}
