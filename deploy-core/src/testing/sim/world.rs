use super::{
    Behaviour, SimJournal, SimLease, SimRouter, SimSettings, SimTarget, Violation,
    instance::SimInstance,
    state::{Set, SimTime, State},
};
use crate::{
    journal::MemoryJournal,
    model::{Millis, Release, ReleaseId, RouterId, ServiceName, Shares, TargetId, WorkloadRef, World},
    target::TargetError,
    testing::Deployer,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::watch, time::Instant};

/// A simulated backend: it outlives the deployers that work on it.
///
/// It lives in [virtual time](crate::testing::virtual_time). At each change, by a call or by time, it looks whether every
/// promise is kept, and writes [violations](Self::violations) down:
///
/// - no fewer instances serve than [promised](Self::promise): routed, alive and healthy;
/// - no instance gets traffic that wasn't seen healthy since its start: by a probe, or in a cluster by its controller;
/// - no instance is stopped while requests come, or (where they can be counted) are in flight;
/// - no count is written that belongs to somebody else;
/// - no three releases of a service are alive at once;
/// - what requests come through isn't taken away while they are sent to somebody;
/// - a deployer whose predecessor may still live adopts before it changes anything.
///
/// Clones are the same world.
#[derive(Clone, Debug)]
pub struct SimWorld {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    journal: Arc<MemoryJournal>,
}

impl SimWorld {
    /// A world with nothing in it. Its target and its router are called `sim`.
    pub fn new(settings: SimSettings) -> Self {
        let state = Mutex::new(State::new(TargetId::new("sim"), settings));
        let (changes, _) = watch::channel(0);
        Self { shared: Arc::new(Shared { began: Instant::now(), state, changes, journal: Arc::default() }) }
    }

    /// One more deployer.
    pub fn deployer(&self) -> Deployer {
        Deployer { target: self.target(), routers: vec![self.router()], lease: self.lease(), journal: self.journal() }
    }

    /// A deployer's hands.
    pub fn target(&self) -> Arc<SimTarget> {
        Arc::new(SimTarget::new(self.clone()))
    }

    /// What a deployer moves traffic with.
    pub fn router(&self) -> Arc<SimRouter> {
        Arc::new(SimRouter::new(self.clone()))
    }

    /// A deployer's lease. When it is dropped while held, its holder is gone.
    pub fn lease(&self) -> Arc<SimLease> {
        Arc::new(SimLease::new(self.clone()))
    }

    /// The journal, which refuses records under an older fence than the lease's newest.
    pub fn journal(&self) -> Arc<SimJournal> {
        Arc::new(SimJournal::new(self.clone(), self.shared.journal.clone()))
    }

    /// A set by its service and release.
    pub fn workload(&self, service: &ServiceName, release: &ReleaseId) -> WorkloadRef {
        WorkloadRef { target: self.look().target.clone(), service: service.clone(), release: release.clone() }
    }

    /// Lets a release run already, healthy and with all of its service's traffic.
    pub fn runs(&self, release: &Release, count: u32) {
        self.runs_unrouted(release, count);
        let workload = self.workload(&release.service, &release.id);
        self.change("the beginning", |state| {
            let instances = (!state.is_cluster()).then_some(count);
            state.set_routes(&release.service, Shares::all_to(workload, instances));
        });
    }

    /// Lets a release run already, healthy, without a route.
    pub fn runs_unrouted(&self, release: &Release, count: u32) {
        self.place(release, count);
        self.change("the beginning", |state| state.owned.insert(release.service.clone(), count));
    }

    fn place(&self, release: &Release, count: u32) {
        let workload = self.workload(&release.service, &release.id);
        self.change("the beginning", |state| {
            state.stored.insert(release.id.clone(), release.clone());
            state.sets.insert(workload.clone(), Set::new(release.clone(), count));
            for _ in 0..count {
                state.start_new(&workload);
            }
            for instance in state.sets.get_mut(&workload).into_iter().flat_map(|set| &mut set.instances) {
                instance.behaviour.starts = Millis::ZERO;
                instance.behaviour.healthy = instance.behaviour.healthy.map(|_| Millis::ZERO);
                instance.seen = true;
            }
        });
    }

    /// Lets a release lie there already, stopped and kept.
    pub fn keeps(&self, release: &Release, count: u32) {
        self.place(release, count);
        let workload = self.workload(&release.service, &release.id);
        self.change("the beginning", |state| {
            let cluster = state.is_cluster();
            if let Some(set) = state.sets.get_mut(&workload) {
                set.spec = 0;
                set.instances.iter_mut().for_each(SimInstance::keep);
                set.instances.retain(|_| !cluster);
            }
        });
    }

    /// How the instances of a release behave that start from now on.
    pub fn behave(&self, release: &ReleaseId, behaviour: Behaviour) {
        self.change("the script", |state| state.scripts.behaviours.insert((release.clone(), None), behaviour));
    }

    /// How the one with this ordinal behaves.
    pub fn behave_one(&self, release: &ReleaseId, ordinal: u32, behaviour: Behaviour) {
        self.change("the script", |state| state.scripts.behaviours.insert((release.clone(), Some(ordinal)), behaviour));
    }

    /// The release is reached without its service's proxy: it can't be started while that is there.
    pub fn direct(&self, release: &ReleaseId) {
        self.change("the script", |state| state.scripts.direct.insert(release.clone()));
    }

    /// Lets whoever owns a service's counts ask for so many instances of what then runs, so long from now. Only in a
    /// cluster.
    pub fn counts(&self, service: &ServiceName, after: Millis, count: u32) {
        self.change("the script", |state| {
            let at = state.now.plus(after);
            state.scripts.counts.push((at, service.clone(), count));
        });
    }

    /// From now on, at least so many instances of a service must serve. What falls by itself isn't held against the
    /// deployer, and where the owner of the counts asks for fewer, fewer are promised.
    pub fn promise(&self, service: &ServiceName, serving: u32) {
        self.change("the promise", |state| {
            state.promises.left.remove(service);
            state.promises.floors.insert(service.clone(), serving);
        });
    }

    /// From now on, instances of two releases of a service may not be alive at once.
    pub fn exclusive(&self, service: &ServiceName) {
        self.change("the promise", |state| state.promises.exclusive.insert(service.clone()));
    }

    /// Nothing is routed to the service: its instances serve when they are healthy.
    pub fn unrouted(&self, service: &ServiceName) {
        self.change("the promise", |state| state.promises.unrouted.insert(service.clone()));
    }

    /// How many instances of a service serve now.
    pub fn serving(&self, service: &ServiceName) -> u32 {
        self.look().serving(service).0
    }

    /// Who answers a service's requests, as was asked for.
    pub fn shares(&self, service: &ServiceName) -> Shares {
        self.look().shares(service)
    }

    /// What its target would report of these services now.
    pub fn snapshot(&self, services: &[ServiceName]) -> World {
        self.look().observe(services)
    }

    /// The promises that were broken so far, oldest first.
    pub fn violations(&self) -> Vec<Violation> {
        self.look().violations.clone()
    }

    /// The router's name.
    pub fn router_id(&self) -> RouterId {
        self.look().router.clone()
    }

    /// How long this world has been there.
    pub fn age(&self) -> Millis {
        Millis(self.now().0)
    }

    fn now(&self) -> SimTime {
        SimTime(Millis::from(self.shared.began.elapsed()).0)
    }

    /// The state as it is now.
    pub(super) fn look(&self) -> MutexGuard<'_, State> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.advance(self.now());
        state
    }

    /// Changes the state, and tells whoever watches.
    pub(super) fn change<R>(&self, cause: &str, change: impl FnOnce(&mut State) -> R) -> R {
        let result = self.note(cause, change);
        self.shared.changes.send_modify(|changes| *changes += 1);
        result
    }

    /// Changes the state in a way that nobody who watches instances needs to know.
    pub(super) fn note<R>(&self, cause: &str, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.look();
        state.cause = cause.into();
        let result = change(&mut state);
        state.settle();
        result
    }

    /// Until something changes, by a call or by itself.
    pub(super) async fn changed(&self, changes: &mut watch::Receiver<u64>) {
        let next = self.look().next_change();
        let by_itself = async {
            match next {
                Some(at) => tokio::time::sleep_until(self.shared.began + Millis(at.0).duration()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // the sender lives as long as the world that is waited for
            _ = changes.changed() => {}
            () = by_itself => {}
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// The time that a call takes on its way.
    pub(super) async fn travel(&self) {
        let time = {
            let mut state = self.look();
            let most = state.settings.latency.0;
            state.rng.up_to(most)
        };
        tokio::time::sleep(Millis(time).duration()).await;
    }

    /// A change by a call, with its way to the backend and back.
    pub(super) async fn call<R>(
        &self,
        cause: String,
        change: impl FnOnce(&mut State) -> Result<R, TargetError> + Send,
    ) -> Result<R, TargetError> {
        self.travel().await;
        let result = self.change(&cause, change);
        self.travel().await;
        result
    }

    /// The running instances of each release of a service that is asked for.
    pub fn asked(&self, service: &ServiceName) -> BTreeMap<ReleaseId, u32> {
        let world = self.snapshot(std::slice::from_ref(service));
        let asked = world.workloads.into_iter().filter(|set| set.asked > 0);
        asked.map(|set| (set.workload.release, set.asked)).collect()
    }
}
