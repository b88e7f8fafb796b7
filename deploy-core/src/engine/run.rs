use super::{
    Engine, EngineError, Interrupt, State, StepState,
    decide::{Decision, Wish, decide, way_back},
    hands::{Behalf, only_waits},
};
use crate::{
    journal::Record,
    lease::{Grant, LeaseError},
    model::{End, Event, GuardId, Op, Outcome, Payload, ReleaseId, Step, StepId, Watch},
    observer::{Notice, Progress},
};
use futures_util::{
    FutureExt, StreamExt,
    future::{AbortHandle, Abortable, BoxFuture},
    stream::FuturesUnordered,
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::{Instant, sleep};

/// One process's run of one deployment, until it ends or rests.
pub(super) struct Run<'e> {
    pub(super) engine: &'e Engine,
    pub(super) behalf: Behalf,
    pub(super) grant: Grant,
    pub(super) state: State,
    /// What the state knows and the journal doesn't yet.
    pub(super) noted: Vec<Record>,
    pub(super) payloads: &'e BTreeMap<ReleaseId, Payload>,
    pub(super) interrupt: Interrupt,
    /// What is wished while no person wishes anything.
    pub(super) wish: Wish,
    /// The steps that an earlier process has ended.
    pub(super) past: BTreeSet<StepId>,
}

/// Futures under way by name, each of which can be given up.
struct Pending<'e, K, T> {
    futures: FuturesUnordered<BoxFuture<'e, (K, Option<T>)>>,
    handles: BTreeMap<K, AbortHandle>,
}

impl<'e, K: Ord + Clone + Send + 'e, T: Send + 'e> Pending<'e, K, T> {
    fn new() -> Self {
        Self { futures: FuturesUnordered::new(), handles: BTreeMap::new() }
    }

    fn push(&mut self, key: K, future: impl Future<Output = T> + Send + 'e) {
        let (handle, registration) = AbortHandle::new_pair();
        self.handles.insert(key.clone(), handle);
        self.futures.push(Abortable::new(future, registration).map(|result| (key, result.ok())).boxed());
    }

    /// The next one that ended; `None` inside for one that was given up. Never, while there is none.
    async fn next(&mut self) -> (K, Option<T>) {
        match self.futures.next().await {
            Some((key, result)) => {
                self.handles.remove(&key);
                (key, result)
            }
            None => std::future::pending().await,
        }
    }

    fn keys(&self) -> BTreeSet<K> {
        self.handles.keys().cloned().collect()
    }

    fn give_up(&self, which: impl Fn(&K) -> bool) {
        self.handles.iter().filter(|(key, _)| which(key)).for_each(|(_, handle)| handle.abort());
    }
}

impl<'e> Run<'e> {
    /// Carries the deployment on until it ends or rests.
    ///
    /// # Errors
    /// Where nothing more may be done: the journal failed, or somebody else has taken over. What was under way is
    /// dropped, and the next run settles it.
    pub(super) async fn until_rest(mut self) -> Result<State, EngineError> {
        let mut steps: Pending<'e, StepId, Result<Outcome, EngineError>> = Pending::new();
        let mut guards: Pending<'e, GuardId, String> = Pending::new();
        let lost = keep_lease(self.engine, self.grant);
        let mut lost = std::pin::pin!(lost);
        loop {
            let persons = self.interrupt.wish();
            let wish = if persons == Wish::None { self.wish } else { persons };
            match decide(&self.state, &steps.keys(), wish) {
                Decision::Start(ready) => {
                    self.start(&ready, &mut steps).await?;
                }
                Decision::Settle => {}
                Decision::GiveUp => {
                    let plan = self.state.active();
                    steps.give_up(|id| plan.step(id).is_some_and(|step| only_waits(&step.op)));
                }
                Decision::Unwind(reason) => {
                    guards.give_up(|_| true);
                    let plan = Box::new(way_back(&self.state)?);
                    self.note(Event::Unwinding { plan, reason })?;
                    continue;
                }
                Decision::Suspend(reason) => {
                    self.note(Event::Suspended { reason })?;
                    self.write().await?;
                    return Ok(self.state);
                }
                Decision::End(end) => {
                    if matches!(end, End::RolledBack { .. } | End::Cancelled { .. }) {
                        self.write().await?;
                        tokio::select! {
                            biased;
                            error = &mut lost => return Err(error),
                            () = self.engine.discard_stored(&self.state, &self.behalf) => {}
                        }
                    }
                    self.note(Event::Ended(end))?;
                    self.write().await?;
                    return Ok(self.state);
                }
            }
            self.write().await?;
            self.watch(&mut guards);
            tokio::select! {
                biased;
                error = &mut lost => return Err(error),
                (step, outcome) = steps.next() => match outcome {
                    Some(Ok(outcome)) => self.note(Event::StepEnded { step, outcome })?,
                    Some(Err(error)) => return Err(error),
                    None => {}
                },
                (guard, reason) = guards.next() => if let Some(reason) = reason {
                    self.tell_logs(&guard).await;
                    self.note(Event::GuardFailed { guard, reason })?;
                },
                () = self.interrupt.changed_from(persons) => {}
            }
        }
    }

    /// Says who works now: the first event of each process.
    pub(super) fn lease_taken(&mut self) -> Result<(), EngineError> {
        let fences = BTreeMap::from([(self.state.plan().home.clone(), self.grant.fence)]);
        self.note(Event::LeaseTaken { fences, holder: self.engine.holder.clone() })
    }

    async fn tell_logs(&self, guard: &GuardId) {
        for guard in self.state.plan().guards.iter().filter(|of| of.id == *guard) {
            let Watch::Check { workload, .. } = &guard.watch;
            self.engine.tell_logs(workload).await;
        }
    }

    async fn start(
        &mut self,
        ready: &[StepId],
        steps: &mut Pending<'e, StepId, Result<Outcome, EngineError>>,
    ) -> Result<(), EngineError> {
        let mut again = BTreeSet::new();
        for id in ready {
            match self.state.step(id) {
                Some(StepState::Started) => _ = again.insert(id),
                _ => self.note(Event::StepStarted { step: id.clone() })?,
            }
        }
        self.write().await?;
        for id in ready {
            self.begin(id, again.contains(id), steps);
        }
        Ok(())
    }

    fn begin(&self, id: &StepId, again: bool, steps: &mut Pending<'e, StepId, Result<Outcome, EngineError>>) {
        let (engine, plan, behalf, payloads) =
            (self.engine, self.state.active().clone(), self.behalf.clone(), self.payloads);
        let (name, stale) = (id.clone(), self.stale_checks(id));
        steps.push(id.clone(), async move {
            for Step { op, .. } in stale.iter().filter_map(|check| plan.step(check)) {
                if let Op::Check { workload, check, clocks } = op
                    && let Err(reason) = engine.check(&name, workload, check, *clocks).await
                {
                    return Ok(Outcome::Failed { reason });
                }
            }
            match plan.step(&name) {
                Some(step) => engine.perform(step, &behalf, again, payloads).await,
                None => Ok(Outcome::Failed { reason: "it isn't in the plan".into() }),
            }
        });
    }

    /// The checks that an earlier process made of instances which are to get requests now: they may have ended since.
    fn stale_checks(&self, id: &StepId) -> Vec<StepId> {
        let plan = self.state.active();
        let Some(Op::Route { shares, .. }) = plan.step(id).map(|step| &step.op) else { return Vec::new() };
        let is_stale = |step: &&Step| match &step.op {
            Op::Check { workload, .. } => self.past.contains(&step.id) && shares.of(workload).is_some(),
            _ => false,
        };
        let mut stale: Vec<&Step> = Vec::new();
        for step in plan.steps.iter().filter(is_stale) {
            if stale.iter().all(|other| other.op != step.op) {
                stale.push(step);
            }
        }
        stale.into_iter().map(|step| step.id.clone()).collect()
    }

    /// Begins and ends the guards whose time it is.
    fn watch(&self, guards: &mut Pending<'e, GuardId, String>) {
        let watched = guards.keys();
        for guard in &self.state.plan().guards {
            let is_time = self.state.unwinding().is_none()
                && self.state.trouble().is_none()
                && self.state.is_passed(&guard.from)
                && !matches!(self.state.step(&guard.until), Some(StepState::Ended(_)));
            match (is_time, watched.contains(&guard.id)) {
                (true, false) => {
                    let (engine, of) = (self.engine, guard.clone());
                    guards.push(guard.id.clone(), async move {
                        let Watch::Check { workload, check, interval, failures } = &of.watch;
                        let tell = |trouble| engine.tell(Progress::Watched { guard: of.id.clone(), trouble });
                        engine.watch(workload, check, *interval, *failures, tell).await
                    });
                }
                (false, true) => guards.give_up(|id| *id == guard.id),
                _ => {}
            }
        }
    }

    /// Notes what happened. What comes next may be decided by it, and neither done nor waited for before it is
    /// [written](Self::write): so that what ends and what starts in the same moment is one write.
    fn note(&mut self, event: Event) -> Result<(), EngineError> {
        let deployment = self.behalf.deployment;
        self.state = self.state.apply(&event).map_err(|source| EngineError::State { deployment, source })?;
        let record = Record::new(self.state.seq(), self.behalf.fence, event);
        if is_told_at_once(&record.event) {
            self.tell(record.clone());
        }
        self.noted.push(record);
        Ok(())
    }

    /// Makes durable what was noted.
    async fn write(&mut self) -> Result<(), EngineError> {
        if self.noted.is_empty() {
            return Ok(());
        }
        let (deployment, noted) = (self.behalf.deployment, std::mem::take(&mut self.noted));
        self.engine.append(deployment, &noted).await?;
        noted.into_iter().filter(|record| !is_told_at_once(&record.event)).for_each(|record| self.tell(record));
        Ok(())
    }

    fn tell(&self, record: Record) {
        let deployment = self.behalf.deployment;
        (self.engine.observer)(&Notice::Event { deployment, record: Box::new(record) });
    }
}

/// What a step or a guard came to is told before it is written, so that a person who is told may still keep the next step
/// from being started. Nobody is told of anything else that isn't durable.
fn is_told_at_once(event: &Event) -> bool {
    matches!(event, Event::StepEnded { .. } | Event::GuardFailed { .. })
}

/// Renews the lease for as long as it is polled; ends only when it is lost.
pub(super) async fn keep_lease(engine: &Engine, grant: Grant) -> EngineError {
    let ttl = grant.ttl.duration();
    let mut held = Instant::now();
    loop {
        sleep(ttl / 3).await;
        match tokio::time::timeout(ttl / 3, engine.lease.renew(grant.fence)).await {
            Ok(Ok(())) => held = Instant::now(),
            Ok(Err(error @ (LeaseError::Lost { .. } | LeaseError::Ended { .. }))) => return error.into(),
            // nobody answered: it may hold until its time is over
            Ok(Err(_)) | Err(_) if held.elapsed() < ttl => {}
            Ok(Err(_)) | Err(_) => return EngineError::LeaseEnded { ours: grant.fence },
        }
    }
}
