use super::{
    Engine, EngineError, Interrupt, State,
    decide::Wish,
    hands::{Behalf, services},
    past::{Past, REMEMBERED},
    run::{Run, keep_lease},
    under_way::UnderWay,
};
use crate::{
    journal::{JournalError, Record},
    lease::{Grant, LeaseEnd, LeaseError},
    model::{DeploymentId, End, Event, Expect, Fence, Millis, Payload, Plan, ReleaseId, ServiceName, ServiceSpec},
    model::{Standing, StepId, TargetId, World},
    observer::Progress,
    strategy::{PlanInput, Strategy},
    target::TargetError,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// What is to run.
pub struct Request {
    /// The services, each with its release.
    pub services: Vec<ServiceSpec>,
    /// The releases' configurations; those that lie in the target's store already may be missing.
    pub payloads: BTreeMap<ReleaseId, Payload>,
}

/// How to go about it.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long to wait while somebody else deploys.
    pub lease_wait: Millis,
    /// How many earlier releases of each service are kept for a fast way back.
    pub keep: usize,
    /// How a person's wish reaches the run.
    pub interrupt: Interrupt,
}

impl Default for Options {
    /// Waits 5 min for the lease, keeps three releases.
    fn default() -> Self {
        Self { lease_wait: Millis::from_secs(300), keep: 3, interrupt: Interrupt::default() }
    }
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which deployment; none where there was nothing to do.
    pub deployment: Option<DeploymentId>,
    /// How it finished.
    pub finish: Finish,
}

/// How a run finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The deployment has ended.
    Ended(End),
    /// It waits; the same command carries on.
    Suspended(String),
    /// Everything was as wanted already.
    Unchanged,
}

/// The pause between two tries to take a lease that somebody holds.
const LEASE_PAUSE: Duration = Duration::from_millis(200);

/// How long the keeper of journal and lease may take to answer.
const ANSWER_BY: Duration = Duration::from_secs(30);
/// How long looking at the target may take before anything has changed.
const OBSERVE_BY: Duration = Duration::from_secs(120);
/// How long it may take to make late calls of an earlier holder miss.
const ADOPT_BY: Duration = Duration::from_secs(120);

/// A lease, and what is wished under it while no person wishes anything.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) grant: Grant,
    wish: Wish,
    pub(super) under_way: UnderWay,
}

impl Held {
    fn going_back(&self, why: &'static str) -> Self {
        Self { wish: Wish::GoBack(why), ..self.clone() }
    }
}

impl Engine {
    /// Deploys: carries an interrupted deployment of the same releases on, unwinds one of other releases first, and
    /// otherwise plans by the strategy and runs the plan.
    ///
    /// # Errors
    /// [`EngineError`]; a deployment that failed is a [`Report`].
    pub async fn deploy(
        &self,
        request: &Request,
        strategy: &dyn Strategy,
        options: &Options,
    ) -> Result<Report, EngineError> {
        self.with_lease(options, async |held| {
            let wanted: BTreeSet<_> = request.services.iter().map(|spec| &spec.release.id).collect();
            let mut last = self.last(REMEMBERED).await?;
            if let Some((deployment, state)) = interrupted(&last)? {
                let its: BTreeSet<_> = state.plan().releases().map(|release| &release.id).collect();
                if its == wanted {
                    let theirs = state.plan().strategy.clone();
                    if theirs != strategy.name() {
                        return Err(EngineError::OtherStrategy { deployment, theirs, ours: strategy.name().into() });
                    }
                    let is_all = state.plan().services == request.services;
                    let report = self.carry_on(&held, deployment, state, &request.payloads, options).await?;
                    if is_all || report.finish != Finish::Ended(End::Succeeded) {
                        return Ok(report);
                    }
                    // the same releases, but perhaps more instances of them
                    last = self.last(REMEMBERED).await?;
                    let plan = self.keeping(held.grant, self.plan_now(&request.services, strategy, &last)).await??;
                    return match plan.steps.is_empty() {
                        true => Ok(report),
                        false => self.run_new(&held, plan, &request.payloads, options).await,
                    };
                }
                let back = held.going_back("another release is deployed");
                let report = self.carry_on(&back, deployment, state, &BTreeMap::new(), options).await?;
                if !matches!(report.finish, Finish::Ended(End::RolledBack { .. } | End::Cancelled { .. })) {
                    return Ok(report);
                }
                last = self.last(REMEMBERED).await?;
            }
            let plan = self.keeping(held.grant, self.plan_now(&request.services, strategy, &last)).await??;
            self.run_new(&held, plan, &request.payloads, options).await
        })
        .await
    }

    /// What [`deploy`](Self::deploy) would do, from the world as it is. Takes no lease and changes nothing.
    ///
    /// # Errors
    /// Where the target can't be observed, or there is no plan.
    pub async fn plan(&self, services: &[ServiceSpec], strategy: &dyn Strategy) -> Result<Plan, EngineError> {
        self.plan_now(services, strategy, &self.last(REMEMBERED).await?).await
    }

    /// Runs a plan that was made earlier.
    ///
    /// # Errors
    /// [`EngineError::Stale`], before any change, where what the plan was made from isn't true any more.
    pub async fn run_plan(
        &self,
        plan: Plan,
        payloads: &BTreeMap<ReleaseId, Payload>,
        options: &Options,
    ) -> Result<Report, EngineError> {
        self.accepts(&plan)?;
        self.with_lease(options, async |held| {
            if let Some((deployment, state)) = interrupted(&self.last(1).await?)? {
                if *state.plan() == plan {
                    return self.carry_on(&held, deployment, state, payloads, options).await;
                }
                let expected = "no interrupted deployment".into();
                return Err(EngineError::Stale { expected, found: format!("deployment {deployment}, interrupted") });
            }
            let world = self.world_now(&services(&plan)).await?;
            let basis = Expect { ready: plan.basis.clone(), done: Vec::new() };
            if let Standing::Conflict { expected, found } = basis.standing(&world) {
                return Err(EngineError::Stale { expected, found });
            }
            self.run_new(&held, plan.clone(), payloads, options).await
        })
        .await
    }

    /// Carries the interrupted deployment on.
    ///
    /// # Errors
    /// [`EngineError::NothingInterrupted`] where there is none.
    pub async fn resume(&self, options: &Options) -> Result<Report, EngineError> {
        self.with_lease(options, async |held| {
            let (deployment, state) = interrupted(&self.last(1).await?)?.ok_or(EngineError::NothingInterrupted)?;
            self.carry_on(&held, deployment, state, &BTreeMap::new(), options).await
        })
        .await
    }

    /// Unwinds the interrupted deployment.
    ///
    /// # Errors
    /// [`EngineError::NothingInterrupted`] where there is none.
    pub async fn abort(&self, options: &Options) -> Result<Report, EngineError> {
        self.with_lease(options, async |held| {
            let (deployment, state) = interrupted(&self.last(1).await?)?.ok_or(EngineError::NothingInterrupted)?;
            self.carry_on(&held.going_back("it was aborted"), deployment, state, &BTreeMap::new(), options).await
        })
        .await
    }

    /// Does something under the lease, and gives it back unless something may still be under way. Then it expires, or is
    /// abandoned when this process ends, and whoever takes it adopts.
    async fn with_lease<T>(
        &self,
        options: &Options,
        work: impl AsyncFnOnce(Held) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let grant = self.take_lease(options).await?;
        if grant.before != LeaseEnd::Freed {
            // kept where this fails, or the next deployer would have nobody to adopt from
            self.keeping(grant, self.adopt(grant)).await??;
        }
        let under_way = UnderWay::default();
        let result = work(Held { grant, wish: Wish::None, under_way: under_way.clone() }).await;
        let is_lost = matches!(
            result,
            Err(EngineError::TakenOver { .. } | EngineError::LeaseEnded { .. } | EngineError::Journal(_))
        );
        if !is_lost && !under_way.is_any() {
            // it expires by itself where this fails
            let _ = timeout(ANSWER_BY, self.lease.free(grant.fence)).await;
        }
        result
    }

    /// Renews the lease while something is done.
    pub(super) async fn keeping<T>(&self, grant: Grant, work: impl Future<Output = T>) -> Result<T, EngineError> {
        tokio::select! {
            biased;
            error = keep_lease(self, grant) => Err(error),
            result = work => Ok(result),
        }
    }

    async fn take_lease(&self, options: &Options) -> Result<Grant, EngineError> {
        let until = Instant::now() + options.lease_wait.duration();
        loop {
            let taken = timeout(ANSWER_BY, self.lease.take(&self.holder)).await;
            match taken.unwrap_or_else(|elapsed| Err(LeaseError::Unreachable(elapsed.into()))) {
                Ok(grant) => return Ok(grant),
                Err(LeaseError::Held { holder, left }) if Instant::now() < until => {
                    let wait = Millis::from(until.saturating_duration_since(Instant::now()));
                    self.tell(Progress::LeaseHeld { holder, left, wait });
                    sleep(LEASE_PAUSE).await;
                }
                Err(error) => return Err(EngineError::Lease(error)),
            }
        }
    }

    /// What is there, before anything is changed.
    async fn world_now(&self, services: &[ServiceName]) -> Result<World, EngineError> {
        let world = timeout(OBSERVE_BY, self.world(services)).await;
        let world = world.unwrap_or_else(|elapsed| Err(TargetError::unreachable("the target", elapsed)));
        world.map_err(EngineError::Observe)
    }

    pub(super) async fn deployments(&self) -> Result<Vec<DeploymentId>, EngineError> {
        answered(self.journal.deployments()).await
    }

    /// The last so many deployments with their records, newest first.
    pub(super) async fn last(&self, most: usize) -> Result<Vec<(DeploymentId, Vec<Record>)>, EngineError> {
        answered(self.journal.last(most)).await
    }

    pub(super) async fn append(&self, deployment: DeploymentId, records: &[Record]) -> Result<(), EngineError> {
        answered(self.journal.append_all(deployment, records)).await
    }

    /// Makes late calls of a holder that didn't give its lease back miss.
    async fn adopt(&self, grant: Grant) -> Result<(), EngineError> {
        let deployment = self.deployments().await?.last().copied().unwrap_or(DeploymentId(0));
        let deadline = Instant::now() + ADOPT_BY;
        // where it isn't answered, the lease isn't given back anyway
        let behalf = Behalf { deployment, fence: grant.fence, under_way: UnderWay::default() };
        let cx = behalf.cx(&StepId::new("adopt"), deadline);
        let adopted = timeout_at(deadline, self.target.adopt(&cx, grant.before)).await;
        let adopted = adopted.unwrap_or_else(|elapsed| Err(TargetError::unreachable("the target", elapsed)));
        adopted.map_err(|error| stopped(error, grant.fence))
    }

    async fn plan_now(
        &self,
        wanted: &[ServiceSpec],
        strategy: &dyn Strategy,
        last: &[(DeploymentId, Vec<Record>)],
    ) -> Result<Plan, EngineError> {
        let names: Vec<_> = wanted.iter().map(|spec| spec.release.service.clone()).collect();
        let world = self.world_now(&names).await?;
        let home: TargetId = self.target.id().clone();
        let Past { known, doubtful } = Past::of(last);
        let input = PlanInput {
            capabilities: BTreeMap::from([(home.clone(), self.target.capabilities())]),
            home,
            wanted: wanted.to_vec(),
            world,
            known,
            doubtful,
        };
        let plan = strategy.plan(&input)?;
        self.accepts(&plan).map(|()| plan)
    }

    async fn run_new(
        &self,
        held: &Held,
        plan: Plan,
        payloads: &BTreeMap<ReleaseId, Payload>,
        options: &Options,
    ) -> Result<Report, EngineError> {
        let last = self.deployments().await?.last().map_or(0, |last| last.0);
        if plan.steps.is_empty() {
            // a deployer that was killed at its end left this undone
            self.clear(&plan, held, DeploymentId(last), options.keep).await;
            return Ok(Report { deployment: None, finish: Finish::Unchanged });
        }
        let deployment = DeploymentId(last + 1);
        let event = Event::Planned { plan: Box::new(plan) };
        let state = State::begin(&event).map_err(|source| EngineError::State { deployment, source })?;
        let planned = Record::new(1, held.grant.fence, event);
        self.run(held, deployment, state, vec![planned], payloads, options).await
    }

    async fn carry_on(
        &self,
        held: &Held,
        deployment: DeploymentId,
        state: State,
        payloads: &BTreeMap<ReleaseId, Payload>,
        options: &Options,
    ) -> Result<Report, EngineError> {
        self.run(held, deployment, state, Vec::new(), payloads, options).await
    }

    /// Runs a deployment whose journal lacks what is noted.
    async fn run(
        &self,
        held: &Held,
        deployment: DeploymentId,
        state: State,
        noted: Vec<Record>,
        payloads: &BTreeMap<ReleaseId, Payload>,
        options: &Options,
    ) -> Result<Report, EngineError> {
        self.accepts(state.active())?;
        let behalf = Behalf { deployment, fence: held.grant.fence, under_way: held.under_way.clone() };
        let interrupt = options.interrupt.clone();
        let (grant, wish, past) = (held.grant, held.wish, state.ended().cloned().collect());
        let mut run = Run { engine: self, behalf, grant, state, noted, payloads, interrupt, wish, past };
        run.lease_taken()?;
        let state = run.until_rest().await?;
        let finish = match state.end() {
            Some(end) => Finish::Ended(end.clone()),
            None => Finish::Suspended(state.suspended().unwrap_or("it waits").into()),
        };
        if finish == Finish::Ended(End::Succeeded) {
            self.clear(state.plan(), held, deployment, options.keep).await;
        }
        Ok(Report { deployment: Some(deployment), finish })
    }
}

/// The last deployment, if it hasn't ended.
fn interrupted(last: &[(DeploymentId, Vec<Record>)]) -> Result<Option<(DeploymentId, State)>, EngineError> {
    let Some((deployment, records)) = last.first() else { return Ok(None) };
    let deployment = *deployment;
    let state = State::replay(records).map_err(|source| EngineError::State { deployment, source })?;
    Ok(state.filter(|state| state.end().is_none()).map(|state| (deployment, state)))
}

async fn answered<T>(answer: impl Future<Output = Result<T, JournalError>>) -> Result<T, EngineError> {
    let answer = timeout(ANSWER_BY, answer).await;
    Ok(answer.unwrap_or_else(|elapsed| Err(JournalError::Unreachable(elapsed.into())))?)
}

fn stopped(error: TargetError, ours: Fence) -> EngineError {
    match error {
        TargetError::Fenced { .. } => EngineError::TakenOver { ours },
        TargetError::LeaseEnded { .. } => EngineError::LeaseEnded { ours },
        error => EngineError::Observe(error),
    }
}
