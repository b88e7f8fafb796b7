use crate::{Exit, output::Story};
use deploy_core::{
    engine::{EngineError, Finish},
    model::{End, PlanError},
};

/// The exit status of a run that finished. `wished`: a signal asked it to go back; `abort`: going back was the task.
pub fn of_report(finish: &Finish, story: &Story, wished: bool, abort: bool) -> Exit {
    let conflict = story.cause().is_some_and(|cause| cause.conflict);
    // a failure that came first is the reason, whatever was wished afterwards
    let interrupted = wished && story.cause().is_none();
    match finish {
        Finish::Unchanged | Finish::Ended(End::Succeeded) => Exit::Done,
        Finish::Ended(End::RolledBack { .. } | End::Cancelled { .. }) if abort => Exit::Done,
        Finish::Ended(End::RolledBack { .. } | End::Cancelled { .. }) if interrupted => Exit::Interrupted,
        Finish::Ended(End::Cancelled { .. }) if conflict => Exit::Stale,
        Finish::Ended(End::Cancelled { .. }) => Exit::Failed,
        Finish::Ended(End::RolledBack { .. }) => Exit::TakenBack,
        Finish::Ended(End::Halted { .. } | End::Stuck { .. }) => Exit::Stopped,
        Finish::Suspended(_) => Exit::Suspended,
    }
}

/// The exit status of a run that the engine had to stop. `touched`: something may have been changed before.
pub fn of_error(error: &EngineError, touched: bool) -> Exit {
    match error {
        EngineError::TakenOver { .. } | EngineError::Stale { .. } => Exit::Stale,
        EngineError::Elsewhere { .. } | EngineError::Check(_) => Exit::BadInput,
        EngineError::Plan(PlanError::TooNew { .. } | PlanError::Unsuitable { .. } | PlanError::NeedsItself { .. }) => {
            Exit::BadInput
        }
        _ if touched => Exit::Stopped,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deploy_core::{
        journal::{JournalError, Record},
        model::{DeploymentId, Event, Fence, Outcome},
        observer::Notice,
    };

    fn why() -> String {
        "no".into()
    }

    /// A story in which a step ended so.
    fn with(outcome: Outcome) -> Story {
        let mut story = Story::default();
        let event = Event::StepEnded { step: "web/check".into(), outcome };
        story.hear(&Notice::Event { deployment: DeploymentId(1), record: Box::new(Record::new(2, Fence(1), event)) });
        story
    }

    #[test]
    fn ends_have_their_statuses() {
        let quiet = Story::default();
        let of = |end| of_report(&Finish::Ended(end), &quiet, false, false);
        assert_eq!(of(End::Succeeded), Exit::Done);
        assert_eq!(of(End::RolledBack { why: why() }), Exit::TakenBack);
        assert_eq!(of(End::Cancelled { why: why() }), Exit::Failed);
        assert_eq!(of(End::Halted { why: why() }), Exit::Stopped);
        assert_eq!(of(End::Stuck { why: why() }), Exit::Stopped);
        assert_eq!(of_report(&Finish::Unchanged, &quiet, false, false), Exit::Done);
        assert_eq!(of_report(&Finish::Suspended(why()), &quiet, true, false), Exit::Suspended);
    }

    #[test]
    fn a_failure_that_came_before_the_signal_is_the_reason() {
        let back = Finish::Ended(End::RolledBack { why: why() });
        assert_eq!(of_report(&back, &Story::default(), true, false), Exit::Interrupted);
        let failed = with(Outcome::Failed { reason: why() });
        assert_eq!(of_report(&back, &failed, true, false), Exit::TakenBack);
    }

    #[test]
    fn abort_did_its_work_when_it_went_back() {
        let back = Finish::Ended(End::RolledBack { why: why() });
        assert_eq!(of_report(&back, &Story::default(), false, true), Exit::Done);
        let stuck = Finish::Ended(End::Stuck { why: why() });
        assert_eq!(of_report(&stuck, &Story::default(), false, true), Exit::Stopped);
    }

    #[test]
    fn a_conflict_before_any_change_is_stale() {
        let conflict = with(Outcome::Conflict { expected: "a".into(), found: "b".into() });
        let end = Finish::Ended(End::Cancelled { why: why() });
        assert_eq!(of_report(&end, &conflict, false, false), Exit::Stale);
    }

    #[test]
    fn an_engine_that_stopped_halfway_needs_a_person() {
        let journal = || EngineError::Journal(JournalError::OutOfOrder { expected: 2, found: 3 });
        assert_eq!((of_error(&journal(), false), of_error(&journal(), true)), (Exit::Failed, Exit::Stopped));
        assert_eq!(of_error(&EngineError::TakenOver { ours: Fence(1) }, true), Exit::Stale);
        assert_eq!(of_error(&EngineError::NothingInterrupted, false), Exit::Failed);
    }
}
