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
