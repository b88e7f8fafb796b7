use super::{Engine, perform::with_sources};
use crate::{
    health::{Health, HealthCheck},
    model::{Clocks, Instance, InstanceState, Millis, Named, Observed, StepId, WorkloadRef},
    observer::Progress,
};
use futures_util::{StreamExt, future::join_all, stream};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The first pause between two looks; each further one is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(15);
/// How long the lines that explain a failure may take to fetch.
const LOGS_BY: Duration = Duration::from_secs(2);
const LOG_LINES: usize = 15;

/// How one instance has done so far.
#[derive(Clone, Copy, Debug, Default)]
struct Streak {
    successes: u32,
    since: Option<Instant>,
    restarts: u32,
}

impl Streak {
    fn is_healthy(&self, clocks: Clocks) -> bool {
        let long_enough = self.since.is_some_and(|since| since.elapsed() >= clocks.healthy_for.duration());
        self.successes >= clocks.successes.max(1) && long_enough
    }
}

impl Engine {
    /// Waits until every instance of a set is healthy.
    ///
    /// # Errors
    /// What is wrong, for people: at once where that is certain, otherwise at a deadline.
    pub(super) async fn check(
        &self,
        step: &StepId,
        workload: &WorkloadRef,
        check: &Named,
        clocks: Clocks,
    ) -> Result<(), String> {
        let check = self.checks.build(check).map_err(|error| with_sources(&error))?;
        let deadline = Instant::now() + clocks.healthy_by.duration();
        let mut last = None;
        let looks = self.look_until_healthy(step, workload, &*check, clocks, deadline, &mut last);
        let result = match timeout_at(deadline, looks).await {
            Ok(result) => result,
            Err(_) => {
                let last = last.as_deref().unwrap_or("nothing was seen of it");
                Err(format!("not healthy within {}: {last}", clocks.healthy_by))
            }
        };
        if result.is_err() {
            self.tell_logs(workload).await;
        }
        result
    }

    async fn look_until_healthy(
        &self,
        step: &StepId,
        workload: &WorkloadRef,
        check: &dyn HealthCheck,
        clocks: Clocks,
        deadline: Instant,
        last: &mut Option<String>,
    ) -> Result<(), String> {
        let mut changes = self.target.watch().chain(stream::pending());
        let mut streaks: BTreeMap<u32, Streak> = BTreeMap::new();
        let (mut pause, mut best, mut progressed) = (FIRST_PAUSE, 0, Instant::now());
        loop {
            let (mut healthy, mut of) = (0, 1);
            match self.world_of(workload).await {
                Err(error) if error.is_retryable() => *last = Some(with_sources(&error)),
                Err(error) => return Err(with_sources(&error)),
                Ok(world) => {
                    let nothing = Observed::nothing(workload);
                    let there = world.workload(workload).unwrap_or(&nothing);
                    of = there.asked.max(1); // a set that is checked has instances: none at all isn't healthy
                    if there.asked == 0 {
                        *last = Some("none of its instances is left".into());
                    }
                    let waiting: Vec<_> = there
                        .live()
                        .filter(|one| clocks.healthy_for > Millis::ZERO || !settled(&streaks, one, clocks))
                        .collect();
                    for (instance, health) in self.look(check, &waiting).await {
                        let streak = streaks.entry(instance.ordinal).or_default();
                        if streak.restarts != instance.restarts {
                            *streak = Streak { restarts: instance.restarts, ..Streak::default() };
                        }
                        match health {
                            Health::Healthy => {
                                streak.successes += 1;
                                streak.since.get_or_insert_with(Instant::now);
                            }
                            Health::Unhealthy(why) => return Err(format!("{}: {why}", instance.name)),
                            Health::Waiting(why) | Health::CannotTell(why) => {
                                *streak = Streak { restarts: streak.restarts, ..Streak::default() };
                                *last = Some(format!("{}: {why}", instance.name));
                            }
                        }
                    }
                    healthy = there.live().filter(|one| settled(&streaks, one, clocks)).count() as u32;
                }
            }
            let left = Millis::from(deadline.saturating_duration_since(Instant::now()));
            self.tell(Progress::Health { step: step.clone(), healthy, of, last: last.clone(), left });
            if healthy >= of {
                return Ok(());
            }
            if healthy > best {
                (best, progressed) = (healthy, Instant::now());
            }
            if progressed.elapsed() >= clocks.progress_by.duration() {
                let last = last.as_deref().unwrap_or("nothing was seen of it");
                return Err(format!("no further instance healthy within {}: {last}", clocks.progress_by));
            }
            sleep(FIRST_PAUSE).await; // a burst of changes is looked at once
            let _ = timeout(pause.saturating_sub(FIRST_PAUSE), changes.next()).await;
            pause = (pause * 3 / 2).min(clocks.interval.duration().max(FIRST_PAUSE));
        }
    }

    /// Looks at each once, side by side.
    pub(super) async fn look<'i>(
        &self,
        check: &dyn HealthCheck,
        instances: &[&'i Instance],
    ) -> Vec<(&'i Instance, Health)> {
        let prober = self.target.prober();
        let looks = instances.iter().map(|instance| async move {
            let health = match &instance.state {
                InstanceState::Running => check.check(instance, prober).await,
                InstanceState::Starting => {
                    let why = prober.waits_for(instance);
                    Health::Waiting(why.unwrap_or_else(|| "it hasn't started yet".into()))
                }
                InstanceState::Kept => Health::Waiting("it is stopped".into()),
                InstanceState::Failed { reason } => Health::Unhealthy(reason.clone()),
            };
            (*instance, health)
        });
        join_all(looks).await
    }

    /// Tells the last words of a set that failed.
    pub(super) async fn tell_logs(&self, workload: &WorkloadRef) {
        let fetch = async {
            let Ok(world) = self.world_of(workload).await else { return };
            // one that has failed says more than one that still tries
            let Some(there) = world.workload(workload) else { return };
            let failed = |one: &&Instance| matches!(one.state, InstanceState::Failed { .. });
            let Some(instance) = there.live().find(failed).or_else(|| there.live().next()) else { return };
            self.tell_lines(instance).await;
        };
        let _ = timeout(LOGS_BY, fetch).await;
    }

    /// Tells an instance's last words.
    pub(super) async fn tell_lines(&self, instance: &Instance) {
        if let Ok(Ok(lines)) = timeout(LOGS_BY, self.target.logs(instance, LOG_LINES)).await {
            self.tell(Progress::Log { instance: instance.name.clone(), lines });
        }
    }
}

fn settled(streaks: &BTreeMap<u32, Streak>, instance: &Instance, clocks: Clocks) -> bool {
    let streak = streaks.get(&instance.ordinal);
    instance.state == InstanceState::Running
        && streak.is_some_and(|streak| streak.restarts == instance.restarts && streak.is_healthy(clocks))
}

impl Engine {
    /// Watches a set; ends only when it failed.
    pub(super) async fn watch(
        &self,
        workload: &WorkloadRef,
        check: &Named,
        interval: Millis,
        failures: u32,
        mut tell: impl FnMut(Option<String>),
    ) -> String {
        let check = match self.checks.build(check) {
            Ok(check) => check,
            Err(error) => return with_sources(&error),
        };
        let mut changes = self.target.watch().chain(stream::pending());
        let (mut row, mut counted): (u32, Option<Instant>) = (0, None);
        let mut most: Option<usize> = None;
        loop {
            if let Ok(world) = self.world_of(workload).await {
                let there = world.workload(workload);
                let live: Vec<_> = there.into_iter().flat_map(Observed::live).collect();
                let (mut well, mut waiting) = (0, None);
                for (instance, health) in self.look(&*check, &live).await {
                    match health {
                        Health::Healthy | Health::CannotTell(_) => well += 1,
                        Health::Waiting(why) => waiting = Some(format!("{}: {why}", instance.name)),
                        Health::Unhealthy(why) => return format!("{}: {why}", instance.name),
                    }
                }
                // those that are added meanwhile may take their time
                let asked = there.map_or(0, |there| there.asked as usize);
                let before = most.unwrap_or(live.len()).min(asked.max(1));
                most = Some(before.max(well));
                let trouble = match waiting {
                    _ if live.is_empty() => Some("none of its instances is left".to_owned()),
                    waiting if well < before => waiting,
                    _ => None,
                };
                // looks at changes come in between: they don't make a row longer
                match trouble {
                    None => (row, counted) = (0, None),
                    Some(_) if counted.is_none_or(|counted| counted.elapsed() >= interval.duration()) => {
                        (row, counted) = (row.saturating_add(1), Some(Instant::now()));
                    }
                    Some(_) => {}
                }
                tell(trouble.clone());
                if let Some(trouble) = trouble.filter(|_| row >= failures.max(1)) {
                    return trouble;
                }
            }
            let _ = timeout(interval.duration(), changes.next()).await;
            sleep(FIRST_PAUSE).await; // a burst of changes is looked at once
        }
    }
}
