//! Taking over from a deployer that didn't give its lease back, and clearing what nobody needs any more.

use crate::{
    container::Container,
    handle::{Handle, agent_error, proxy_error},
    labels, names,
    shared::{AT_ONCE, at_once},
};
use bollard::models::ContainerSummaryStateEnum as State;
use deploy_core::{
    model::{DeploymentId, ReleaseId, ServiceName},
    target::{Cx, TargetError},
};
use std::collections::{BTreeMap, BTreeSet};

impl Handle {
    /// Makes late calls of the holder before miss: by renaming what they could name, and by telling each proxy the
    /// new fence. What was made and never started goes.
    pub(crate) async fn take_over(&self, cx: &Cx) -> Result<(), TargetError> {
        let all = self.listed(cx.fence).await?;
        for proxy in all.iter().filter(|one| one.kind() == labels::PROXY && one.is_up()) {
            if let Some(service) = proxy.service() {
                self.proxy(&service).await?.raise_fence(cx.fence).await.map_err(proxy_error)?;
            }
        }
        let ours: BTreeSet<_> = all.iter().filter(|one| !one.is_by_compose()).filter_map(Container::service).collect();
        let is_taken = |one: &Container| one.service().is_some_and(|service| ours.contains(&service));
        // what Compose runs keeps its name for as long as nobody takes it over
        let changes = all.iter().filter(|one| !one.is_by_compose() || is_taken(one)).map(|one| async move {
            match one.kind() {
                labels::INSTANCE | labels::PROXY if one.is_new() => self.discard(&one.name).await,
                labels::INSTANCE | labels::PROXY => self.rename(&one.name, &names::adopted(&one.name, cx.fence)).await,
                // one that runs may be ours, or ends by itself
                labels::AGENT if matches!(one.state, State::CREATED | State::EXITED | State::DEAD) => {
                    self.discard(&one.name).await
                }
                _ => Ok(()),
            }
        });
        at_once(AT_ONCE, changes).await.map(drop)
    }

    /// Clears the kept releases of a service but the newest, with their payloads, and what its proxy had for their sake.
    pub(crate) async fn clear(&self, cx: &Cx, service: &ServiceName, keep: usize) -> Result<(), TargetError> {
        let all = self.listed(cx.fence).await?;
        let of_service = |one: &&Container| one.kind() == labels::INSTANCE && one.service().as_ref() == Some(service);
        let mut releases: BTreeMap<ReleaseId, Vec<&Container>> = BTreeMap::new();
        for one in all.iter().filter(of_service) {
            if let Some(release) = one.release_id() {
                releases.entry(release).or_default().push(one);
            }
        }
        let made = |set: &[&Container]| set.iter().filter_map(|one| one.made_by()).map(|by| by.0).max();
        let is_kept = |set: &[&Container]| set.iter().all(|one| one.is_kept() || one.is_new());
        let mut kept: Vec<(Option<DeploymentId>, &ReleaseId)> =
            releases.iter().filter(|(_, set)| is_kept(set)).map(|(release, set)| (made(set), release)).collect();
        kept.sort_by(|a, b| b.cmp(a));
        let (composes, kept): (Vec<_>, Vec<_>) =
            kept.into_iter().map(|(_, release)| release).partition(|release| releases[*release][0].is_by_compose());
        // Compose's own can't be brought back by anything but an unwind
        let surplus: Vec<_> = kept.into_iter().skip(keep).chain(composes).collect();
        let gone: Vec<&Container> = surplus.iter().flat_map(|release| &releases[*release]).copied().collect();
        self.remove_all(gone.into_iter()).await?;
        for release in surplus {
            self.agent().await?.discard(cx.fence, release).await.map_err(agent_error)?;
        }
        self.settle_proxy(&all, service).await
    }
}
