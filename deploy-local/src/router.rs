use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use deploy_core::model::{Millis, RouterId, ServiceName, Shares, WorkloadRef};
use deploy_core::router::{Router, Uptake};
use deploy_core::target::{Cx, TargetError};
use deploy_proxy::control::{Backend, RouteState, Routes};
use futures_util::future::try_join_all;

use crate::error::proxy;
use crate::instance::InstanceRecord;
use crate::service::PORT;
use crate::shared::Shared;

/// Sends requests to processes by way of each service's proxy.
pub(crate) struct LocalRouter {
    pub(crate) shared: Arc<Shared>,
}

/// Who answers, as a proxy remembers it.
pub(crate) fn shares(state: &RouteState) -> Result<Shares, TargetError> {
    match state.routes.asked.is_null() {
        true => Ok(Shares::none()),
        false => serde_json::from_value(state.routes.asked.clone()).map_err(|error| TargetError::Rejected {
            why: format!(
                "expected routes that were made here, but found others: {error}; use the same version of deploy"
            ),
        }),
    }
}

/// The backends that answer by these shares: of each set the lowest ordinals, a set's weight spread evenly over them.
pub(crate) fn routes(shares: &Shares, records: &[InstanceRecord]) -> Result<Routes, TargetError> {
    let mut backends = Vec::new();
    for share in shares.iter() {
        let live = records.iter().filter(|record| record.workload == share.workload && !record.is_kept());
        let chosen: Vec<_> = live.take(share.instances.map_or(usize::MAX, |count| count as usize)).collect();
        // all that a set has is better than none of it
        if chosen.is_empty() {
            let expected = format!("instances of {} to send requests to", share.workload.release);
            return Err(TargetError::Conflict { expected, found: "none".into() });
        }
        let weight = u32::from(share.weight.0) * WHOLE / u32::try_from(chosen.len()).unwrap_or(u32::MAX);
        backends.extend(chosen.into_iter().map(|record| Backend {
            instance: record.name().as_str().into(),
            release: record.workload.release.clone(),
            host: "127.0.0.1".into(),
            ports: BTreeMap::from([(PORT, record.port)]),
            weight: weight.max(1),
        }));
    }
    Ok(Routes { backends, asked: serde_json::json!(shares) })
}

/// How finely a set's weight can be divided: 10,000 basis points times this fit in the proxy's weights.
const WHOLE: u32 = 100_000;

#[async_trait]
impl Router for LocalRouter {
    fn id(&self) -> &RouterId {
        &self.shared.router
    }

    async fn route(&self, cx: &Cx, service: &ServiceName, from: &Shares, to: &Shares) -> Result<Uptake, TargetError> {
        self.shared.admit(cx).await?;
        let control = self.shared.proxy(service);
        let there = control.routes().await.map_err(proxy)?;
        let found = shares(&there)?;
        if found != *from && found != *to {
            return Err(TargetError::Conflict { expected: from.to_string(), found: found.to_string() });
        }
        let wanted = routes(to, &self.shared.records().await?)?;
        if there.routes != wanted {
            control.set_routes(cx.fence, there.revision, Some(cx.deployment), wanted).await.map_err(proxy)?;
        }
        Ok(Uptake::Acknowledged)
    }

    async fn drain(&self, cx: &Cx, workload: &WorkloadRef, by: Millis) -> Result<Option<u64>, TargetError> {
        self.shared.admit(cx).await?;
        let control = self.shared.proxy(&workload.service);
        let there = control.routes().await.map_err(proxy)?;
        let left_out = |name: &String| {
            there.routes.backends.iter().all(|backend| backend.weight == 0 || backend.instance.0 != *name)
        };
        let set = self.shared.set(workload).await?;
        let names = set.iter().map(InstanceRecord::name).filter(left_out);
        let drains = names.map(|name| control.drain(cx.fence, name.as_str().into(), by.duration()));
        let ends = try_join_all(drains).await.map_err(proxy)?;
        Ok(Some(ends.iter().map(|end| end.remaining + end.closed).sum()))
    }
}
