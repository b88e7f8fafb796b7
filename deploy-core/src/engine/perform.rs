use super::{Engine, EngineError, hands::Behalf};
use crate::{
    model::{Count, Fact, Millis, Op, Outcome, Payload, ReleaseId, RouterId, Standing, Step, WorkloadRef, World},
    observer::Progress,
    router::{Router, Uptake},
    strategy::SLACK,
    target::{Cx, TargetError},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// What an attempt came to.
enum Attempt {
    Over(Outcome),
    /// Over, but requests may follow the old routes for a while.
    Settling(Outcome, Duration),
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Engine {
    /// Performs a step: compares what it expects, does it, and tries again what may succeed later, until its deadline.
    /// `again`: an earlier process has started it.
    ///
    /// # Errors
    /// What no outcome can tell: the run must end at once.
    pub(super) async fn perform(
        &self,
        step: &Step,
        behalf: &Behalf,
        again: bool,
        payloads: &BTreeMap<ReleaseId, Payload>,
    ) -> Result<Outcome, EngineError> {
        let deadline = Instant::now() + step.deadline.duration();
        let cx = behalf.cx(&step.id, deadline);
        let mut last = None;
        let attempts = async {
            let mut pause = FIRST_PAUSE;
            loop {
                match self.attempt(step, behalf, &cx, again || last.is_some(), payloads).await {
                    Ok(attempt) => return Ok(attempt),
                    Err(TargetError::Fenced { ours, .. }) => return Err(EngineError::TakenOver { ours }),
                    Err(TargetError::LeaseEnded { ours }) => return Err(EngineError::LeaseEnded { ours }),
                    Err(error) if error.is_retryable() => {
                        let why = with_sources(&error);
                        self.tell(Progress::Retry { step: step.id.clone(), why: why.clone() });
                        last = Some(why);
                        sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                    Err(error) => return Ok(Attempt::Over(Outcome::Failed { reason: with_sources(&error) })),
                }
            }
        };
        let attempt = timeout_at(deadline, attempts).await;
        for text in self.target.warnings() {
            self.tell(Progress::Warning { text });
        }
        match attempt {
            Ok(Ok(Attempt::Over(outcome))) => Ok(outcome),
            Ok(Ok(Attempt::Settling(outcome, time))) => {
                sleep(time).await;
                Ok(outcome)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let why = last.map(|why| format!(": {why}")).unwrap_or_default();
                Ok(Outcome::Failed { reason: format!("it wasn't done within its deadline of {}{why}", step.deadline) })
            }
        }
    }

    async fn attempt(
        &self,
        step: &Step,
        behalf: &Behalf,
        cx: &Cx,
        again: bool,
        payloads: &BTreeMap<ReleaseId, Payload>,
    ) -> Result<Attempt, TargetError> {
        let (applied, under_way) = (|| Attempt::Over(Outcome::Applied), &behalf.under_way);
        match &step.op {
            Op::Check { workload, check, clocks } => {
                return Ok(Attempt::Over(match self.check(&step.id, workload, check, *clocks).await {
                    Ok(()) => Outcome::Applied,
                    Err(reason) => Outcome::Failed { reason },
                }));
            }
            Op::Await { object, by } => {
                return Ok(Attempt::Over(match self.await_object(cx, object, *by).await {
                    Ok(()) => Outcome::Applied,
                    Err(reason) => Outcome::Failed { reason },
                }));
            }
            Op::Wait { time } => {
                sleep(time.duration()).await;
                return Ok(applied());
            }
            Op::Drain { router, workload } => {
                let left = Millis::from(cx.left());
                let by = Millis(if left > SLACK { left.0 - SLACK.0 } else { left.0 / 2 });
                if let Some(ended @ 1..) = under_way.call(self.router(router)?.drain(cx, workload, by)).await? {
                    let text = format!("{ended} requests at {workload} were ended at the drain's deadline");
                    self.tell(Progress::Warning { text });
                }
                return Ok(applied());
            }
            _ => {}
        }
        let world = match step.op.service() {
            Some(service) => self.target.observe_sets(service).await?,
            None => self.world(&[]).await?,
        };
        let found = match step.expect.standing(&world) {
            Standing::Done => Some(match again || made_here(&step.op, &world, cx) {
                true => Outcome::Resumed,
                false => Outcome::Coincided,
            }),
            Standing::Ready => None,
            // an earlier attempt may have taken away what it was to put something else in the place of
            Standing::Conflict { .. } if again && is_half_applied(&step.op, &world) => None,
            // ours may be a part of what is there: undone, as what is half done is
            Standing::Conflict { expected, found } if again && !matches!(step.op, Op::Route { .. }) => {
                return Ok(Attempt::Over(Outcome::Failed {
                    reason: format!("expected {expected}, but found {found}"),
                }));
            }
            Standing::Conflict { expected, found } => {
                return Ok(Attempt::Over(Outcome::Conflict { expected, found }));
            }
        };
        if let Op::Route { router, service, shares } = &step.op {
            // asked again where it is done already: it may not have been taken up yet
            let from = world.shares(router, service);
            let uptake = under_way.call(self.router(router)?.route(cx, service, &from, shares)).await?;
            let outcome = found.unwrap_or(Outcome::Applied);
            return Ok(match uptake {
                Uptake::Acknowledged => Attempt::Over(outcome),
                Uptake::Settle(time) => Attempt::Settling(outcome, time.duration()),
            });
        }
        if let Some(outcome) = found {
            return Ok(Attempt::Over(outcome));
        }
        match &step.op {
            Op::Store { release, .. } => {
                let payload = payloads.get(&release.id).ok_or_else(|| TargetError::Rejected {
                    why: format!("the configuration of {} isn't at hand; run `up` with its file again", release.id),
                })?;
                under_way.call(self.target.store(cx, release, payload)).await?;
            }
            Op::Apply { object } => under_way.call(self.target.apply(cx, object)).await?,
            Op::Delete { object } => under_way.call(self.target.delete(cx, object)).await?,
            Op::Ensure { workload, count } => {
                let count = match count {
                    Count::Exactly(count) => Some(*count),
                    Count::Leave => None,
                    Count::AsServing(release) => {
                        let of = WorkloadRef { release: release.clone(), ..workload.clone() };
                        Some(world.asked(&of))
                    }
                };
                under_way.call(self.target.ensure(cx, workload, count)).await?;
            }
            Op::Replace { workload, from, pace } => {
                under_way.call(self.target.replace(cx, workload, from, *pace)).await?;
            }
            Op::Remove { workload, keep } => under_way.call(self.target.remove(cx, workload, *keep)).await?,
            Op::Route { .. } | Op::Drain { .. } | Op::Check { .. } | Op::Await { .. } | Op::Wait { .. } => {}
        }
        Ok(applied())
    }

    fn router(&self, id: &RouterId) -> Result<&dyn Router, TargetError> {
        let unknown = || TargetError::Rejected { why: format!("there is no router {id}") };
        self.routers.get(id).map(|router| &**router).ok_or_else(unknown)
    }
}

/// Whether an object that is to be there as described isn't there at all.
fn is_half_applied(op: &Op, world: &World) -> bool {
    matches!(op, Op::Apply { object } if Fact::Missing { object: object.object.clone() }.holds(world))
}

/// Whether a set was made by an earlier attempt at this step.
fn made_here(op: &Op, world: &World, cx: &Cx) -> bool {
    let (Op::Ensure { workload, .. } | Op::Replace { workload, .. }) = op else { return false };
    let made_by = world.workload(workload).and_then(|there| there.made_by.as_ref());
    made_by.is_some_and(|(deployment, step)| *deployment == cx.deployment && *step == cx.step)
}

/// An error with what caused it, on one line.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
