use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deploy_core::model::ServiceName;
use deploy_core::target::{Cx, TargetError};

use crate::error::agent;
use crate::shared::Shared;
use crate::stop::Then;

impl Shared {
    /// Forgets all kept releases of a service but the newest, and payloads that no instance was started from.
    pub(crate) async fn prune(
        self: &Arc<Self>,
        cx: &Cx,
        service: &ServiceName,
        keep: usize,
    ) -> Result<(), TargetError> {
        self.admit(cx).await?;
        let mut records = self.records().await?;
        records.retain(|record| record.workload.service == *service);
        let asked: BTreeSet<_> =
            records.iter().filter(|record| !record.is_kept()).map(|record| record.workload.release.clone()).collect();
        let mut kept = BTreeMap::new();
        for record in records.iter().filter(|record| !asked.contains(&record.workload.release)) {
            let newest = kept.entry(record.workload.release.clone()).or_insert((record.deployment, record.fence));
            *newest = (*newest).max((record.deployment, record.fence));
        }
        let mut oldest_last: Vec<_> = kept.into_iter().collect();
        oldest_last.sort_by(|(_, a), (_, b)| b.cmp(a));
        let stays: BTreeSet<_> =
            asked.into_iter().chain(oldest_last.into_iter().take(keep).map(|(release, _)| release)).collect();
        records.retain(|record| !stays.contains(&record.workload.release));
        self.stop_all(cx, &records, Then::Forget).await?;
        let is_ours = |release: &str| release.rsplit_once('-').is_some_and(|(name, _)| name == service.as_str());
        for release in self.agent.stored().await.map_err(agent)? {
            if is_ours(release.as_str()) && !stays.contains(&release) {
                self.agent.discard(cx.fence, &release).await.map_err(agent)?;
            }
        }
        Ok(())
    }
}
