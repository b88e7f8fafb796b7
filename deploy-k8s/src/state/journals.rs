use super::{
    TRIES,
    head::{HEAD, Head},
    parts,
};
use crate::{
    api::{Api, CallError},
    names::{JOURNAL, KIND},
    patch::{JsonPatch, annotation},
};
use deploy_core::model::{DeploymentId, Fence};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use std::collections::BTreeMap;

/// How many deployments' journals are kept: what `history` shows.
const KEPT: usize = 100;
/// How many are cleared away each time, at most: a deployment adds one.
const AT_ONCE: usize = 2;

/// All journals' parts in a namespace, without their records.
pub(super) struct Journals(BTreeMap<(DeploymentId, usize), Option<Head>>);

impl Journals {
    pub(super) async fn list(api: &Api) -> Result<Self, CallError> {
        let found = api.list_metadata::<ConfigMap>(&ListParams::default().labels(&format!("{KIND}={JOURNAL}"))).await?;
        let part = |part: kube::core::PartialObjectMeta<ConfigMap>| {
            let head = part.metadata.annotations.and_then(|all| all.get(HEAD)?.parse().ok());
            Some((parts::parse(&part.metadata.name?)?, head))
        };
        Ok(Self(found.into_iter().filter_map(part).collect()))
    }

    /// The deployments, oldest first.
    pub(super) fn deployments(&self) -> Vec<DeploymentId> {
        let mut all: Vec<_> = self.0.keys().map(|(deployment, _)| *deployment).collect();
        all.dedup();
        all
    }

    /// The newest that any record was written under.
    pub(super) fn newest_fence(&self) -> Fence {
        self.0.values().flatten().map(|head| head.fence).max().unwrap_or_default()
    }

    /// Clears the oldest journals away. What can't be stays until the next time: it is in nobody's way.
    pub(super) async fn clear(&mut self, api: &Api) {
        for (deployment, number) in self.outdated() {
            if api.delete::<ConfigMap>(&parts::name(deployment, number), None).await.is_err() {
                break;
            }
            self.0.remove(&(deployment, number));
        }
    }

    /// The parts to be cleared away, a journal's first part last, so that what is left of one can be read.
    fn outdated(&self) -> Vec<(DeploymentId, usize)> {
        let all = self.deployments();
        let old = &all[..all.len().saturating_sub(KEPT).min(AT_ONCE)];
        self.0.keys().rev().filter(|(deployment, _)| old.contains(deployment)).copied().collect()
    }

    /// Puts the fence on the newest journal, so that late records of whoever wrote there are refused. One that has ended
    /// takes no more records anyway.
    pub(super) async fn stamp(mut self, api: &Api, fence: Fence) -> Result<(), CallError> {
        let listed = &mut self;
        for left in (0..TRIES).rev() {
            let Some((deployment, number, head)) = listed.open_to(fence) else { break };
            let stamped = Head { fence, ..head };
            let patch = JsonPatch::new().test(annotation(HEAD), head.to_string());
            let patch = patch.set(annotation(HEAD), stamped.to_string());
            match api.patch::<ConfigMap>(&parts::name(deployment, number), patch).await {
                Ok(_) => break,
                // one more record, or somebody cleared it away
                Err(error) if left > 0 && (error.is_stale() || error.code() == Some(404)) => {
                    *listed = Self::list(api).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The newest journal's last part, if it would still take a record under an older fence.
    fn open_to(&self, fence: Fence) -> Option<(DeploymentId, usize, Head)> {
        let (&(deployment, number), head) = self.0.last_key_value()?;
        let head = (*head)?;
        (!head.ended && head.fence < fence).then_some((deployment, number, head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_beyond_a_hundred_are_outdated_a_few_at_once() {
        let journals = |deployments: std::ops::RangeInclusive<u64>| {
            let parts = deployments.flat_map(|id| [(DeploymentId(id), 1), (DeploymentId(id), 2)]);
            Journals(parts.map(|part| (part, None)).collect())
        };
        assert_eq!(journals(1..=100).outdated(), []);
        assert_eq!(journals(1..=101).outdated(), [(DeploymentId(1), 2), (DeploymentId(1), 1)]);
        let some = journals(7..=120).outdated();
        assert_eq!(some, [(8, 2), (8, 1), (7, 2), (7, 1)].map(|(id, part)| (DeploymentId(id), part)));
    }
}
