//! Sets of instances: put beside what runs, made larger or smaller, taken away, kept.

use super::instance::{NewInstance, never};
use crate::{
    container::Container,
    definition::Definition,
    handle::Handle,
    names,
    shared::{AT_ONCE, STOPPED_AT_ONCE, at_once},
};
use bollard::models::RestartPolicy;
use deploy_core::{
    model::{Release, WorkloadRef},
    target::{Cx, TargetError},
};
use std::collections::BTreeSet;

impl Handle {
    /// Makes exactly `count` instances of a set be asked for.
    pub(crate) async fn ensure(
        &self,
        cx: &Cx,
        workload: &WorkloadRef,
        release: &Release,
        definition: &Definition,
        count: u32,
    ) -> Result<(), TargetError> {
        let all = self.listed(cx.fence).await?;
        let set = of_set(&all, workload);
        let (new, set): (Vec<_>, Vec<_>) = set.into_iter().partition(|one| one.is_new());
        // half made, perhaps: a file or a network may be missing
        self.remove_all(new.into_iter()).await?;
        let (homeless, set) = self.homeless(set, definition, &all).await?;
        let (kept, mut live): (Vec<_>, Vec<_>) = set.into_iter().partition(|one| one.is_kept());
        live.sort_by_key(|one| one.ordinal());
        let surplus = live.split_off(live.len().min(count as usize));
        let plan = Additions::plan(&live, &kept, count);
        self.meet_proxy(&all, &workload.service, &definition.content.networks).await?;
        if definition.content.by_compose && !plan.missing.is_empty() {
            let why = format!(
                "expected {count} containers that Docker Compose made of {}, but some are gone: bring them back with `docker compose up -d`",
                workload.service
            );
            return Err(TargetError::Rejected { why });
        }
        let result = self.add(cx, release, definition, &all, &plan).await;
        if result.is_err() {
            self.forget_new(workload).await;
        }
        result?;
        self.remove_all(homeless.into_iter()).await?;
        self.remove_all(plan.stood_for.into_iter()).await?;
        // a stop that was interrupted left them without one
        let policy = restart_policy(definition);
        at_once(AT_ONCE, live.iter().map(|one| self.set_restart(&one.name, policy.clone()))).await?;
        // one that somebody stopped is asked for again
        self.start_all(live.iter().filter(|one| !one.is_up()).map(|one| one.name.clone())).await?;
        self.keep(cx, &surplus).await
    }

    /// Those that can be started again come first, then all new ones are made, then all are started together.
    async fn add(
        &self,
        cx: &Cx,
        release: &Release,
        definition: &Definition,
        all: &[Container],
        plan: &Additions<'_>,
    ) -> Result<(), TargetError> {
        at_once(AT_ONCE, plan.kept.iter().map(|one| self.bring_back(one, definition))).await?;
        let made = plan.missing.iter().map(|ordinal| async move {
            let name = self.name_of(definition, release, *ordinal);
            let new = NewInstance { definition, release, ordinal: *ordinal, name: name.clone(), others: all };
            self.create(cx, new).await.map(|()| name)
        });
        let names = at_once(AT_ONCE, made).await?;
        self.start_all(names.into_iter()).await
    }

    async fn start_all(&self, names: impl Iterator<Item = String>) -> Result<(), TargetError> {
        at_once(AT_ONCE, names.map(|name| async move { self.start(&name).await })).await.map(drop)
    }

    pub(super) async fn remove_all(&self, containers: impl Iterator<Item = &Container>) -> Result<(), TargetError> {
        at_once(AT_ONCE, containers.map(|one| self.discard(&one.name))).await.map(drop)
    }

    fn name_of(&self, definition: &Definition, release: &Release, ordinal: u32) -> String {
        match &definition.content.container_name {
            Some(name) if ordinal == 1 => name.clone(),
            _ => names::instance(&self.project, release.service.as_str(), &release.id, ordinal),
        }
    }

    /// Stops a set; then removes it, or keeps it.
    pub(crate) async fn take_away(&self, cx: &Cx, workload: &WorkloadRef, keep: bool) -> Result<(), TargetError> {
        let all = self.listed(cx.fence).await?;
        let set = of_set(&all, workload);
        let (new, set): (Vec<_>, Vec<_>) = set.into_iter().partition(|one| one.is_new());
        self.remove_all(new.into_iter()).await?;
        if keep {
            let live = set.into_iter().filter(|one| !one.is_kept());
            // what goes as soon as it was made is to be looked into: its log and its files stay
            let is_made_now = |one: &&Container| one.made_by().is_some_and(|by| by.0 == cx.deployment);
            let (made_now, live): (Vec<_>, Vec<_>) = live.partition(is_made_now);
            return tokio::try_join!(self.keep_whole(cx, &made_now), self.keep(cx, &live)).map(drop);
        }
        let gone = set.into_iter().map(|one| async move {
            if one.is_up() {
                self.stop(cx, &one.name).await?;
            }
            self.discard(&one.name).await
        });
        at_once(STOPPED_AT_ONCE, gone).await.map(drop)
    }

    /// Starts an instance of Compose's under its old name. The name comes last: one that runs isn't kept, whatever its name.
    async fn bring_back(&self, one: &Container, definition: &Definition) -> Result<(), TargetError> {
        self.set_restart(&one.name, restart_policy(definition)).await?;
        self.start_in(&one.name, &definition.content.networks).await?;
        self.rename(&one.name, names::live(&one.name)).await
    }

    /// Takes away what was made and never started. Whatever stays is swept when the next deployer takes over.
    async fn forget_new(&self, workload: &WorkloadRef) {
        let Ok(all) = self.containers().await else { return };
        for one in of_set(&all, workload).into_iter().filter(|one| one.is_new()) {
            let _ = self.discard(&one.name).await;
        }
    }
}

/// As the file has it.
fn restart_policy(definition: &Definition) -> RestartPolicy {
    let host = definition.content.container.host_config.as_ref();
    host.and_then(|host| host.restart_policy.clone()).unwrap_or_else(never)
}

fn of_set<'a>(all: &'a [Container], workload: &WorkloadRef) -> Vec<&'a Container> {
    all.iter().filter(|one| one.is_of(workload)).collect()
}

/// What is missing of a set, and where it comes from.
#[derive(Debug, Default)]
struct Additions<'a> {
    /// Kept instances that are started again: Compose's.
    kept: Vec<&'a Container>,
    /// Ordinals of instances that are made.
    missing: Vec<u32>,
    /// Stand-ins whose instances are there then.
    stood_for: Vec<&'a Container>,
}

impl<'a> Additions<'a> {
    /// Kept instances with the lowest ordinals first; then the lowest free ordinals.
    fn plan(live: &[&Container], kept: &[&'a Container], count: u32) -> Self {
        let (mut kept, stand_ins): (Vec<&Container>, Vec<&Container>) =
            kept.iter().partition(|one| one.is_by_compose());
        let mut taken: BTreeSet<u32> = live.iter().map(|one| one.ordinal()).collect();
        let wanted = (count as usize).saturating_sub(live.len());
        kept.retain(|one| !taken.contains(&one.ordinal()));
        kept.sort_by_key(|one| one.ordinal());
        kept.dedup_by_key(|one| one.ordinal());
        kept.truncate(wanted);
        taken.extend(kept.iter().map(|one| one.ordinal()));
        let missing = (1..).filter(|ordinal| !taken.contains(ordinal)).take(wanted - kept.len());
        let missing: Vec<_> = missing.collect();
        taken.extend(&missing);
        let stood_for = stand_ins.into_iter().filter(|one| taken.contains(&one.ordinal())).collect();
        Self { kept, missing, stood_for }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{container::testing::instance, labels};

    /// Ordinals of what is started again, made, and stood for no longer.
    fn plan(live: &[u32], kept: &[u32], count: u32, by_compose: bool) -> [Vec<u32>; 3] {
        let ours: &[_] = if by_compose { &[] } else { &[(labels::PROJECT, "shop")] };
        let made = |ordinals: &[u32]| ordinals.iter().map(|one| instance(*one, ours)).collect::<Vec<_>>();
        let (live, kept) = (made(live), made(kept));
        let plan = Additions::plan(&live.iter().collect::<Vec<_>>(), &kept.iter().collect::<Vec<_>>(), count);
        let ordinals = |set: Vec<&Container>| set.into_iter().map(Container::ordinal).collect();
        [ordinals(plan.kept), plan.missing, ordinals(plan.stood_for)]
    }

    #[test]
    fn composes_kept_ones_are_started_first_and_gaps_are_filled() {
        let plan = |live: &[u32], kept: &[u32], count: u32| {
            let [kept, missing, _] = plan(live, kept, count, true);
            (kept, missing)
        };
        assert_eq!(plan(&[], &[], 3), (vec![], vec![1, 2, 3]));
        assert_eq!(plan(&[2], &[4, 3, 1], 3), (vec![1, 3], vec![]));
        assert_eq!(plan(&[2], &[3], 4), (vec![3], vec![1, 4]));
        assert_eq!(plan(&[1, 2], &[3], 2), (vec![], vec![]));
        assert_eq!(plan(&[1], &[1, 2], 2), (vec![2], vec![]));
    }

    #[test]
    fn stand_ins_go_when_their_instances_are_there() {
        assert_eq!(plan(&[], &[1, 2], 2, false), [vec![], vec![1, 2], vec![1, 2]]);
        assert_eq!(plan(&[1], &[1, 2, 3], 2, false), [vec![], vec![2], vec![1, 2]]);
    }
}
