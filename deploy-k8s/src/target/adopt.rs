use crate::{
    api::Kind,
    kinds::Deployment,
    patch::JsonPatch,
    shared::{ATTEMPTS, Change, Shared, restless},
    site::Leads,
    stamp::Stamp,
};
use deploy_core::{
    journal::Journal,
    model::{Event, Plan},
    target::{Cx, TargetError},
};
use futures_util::future::{try_join, try_join_all};
use k8s_openapi::api::core::v1::Service;
use kube::{ResourceExt, api::ListParams};
use std::collections::BTreeSet;

impl Shared {
    /// Stamps all that the last holder of the lease may still write to, so that a write of its which comes late misses: what
    /// deployers have written to before, and what the deployment under way is about.
    pub(super) async fn adopt(&self, cx: &Cx) -> Result<(), TargetError> {
        let involved = self.involved(cx).await?;
        let all = ListParams::default();
        let (deployments, services) =
            try_join(self.api.list::<Deployment>(&all), self.api.list::<Service>(&all)).await?;
        let deployments: Vec<_> = deployments
            .into_iter()
            .filter(|one| Stamp::on(&one.metadata).is_some() || involved.contains(&one.name_any()))
            .collect();
        let leads = |service: &Service| deployments.iter().any(|one| Leads::of(service, &one.spec) == Leads::Here);
        let services: Vec<_> =
            services.into_iter().filter(|one| Stamp::on(&one.metadata).is_some() || leads(one)).collect();
        try_join(
            try_join_all(deployments.iter().map(|one| self.take_over(cx, one))),
            try_join_all(services.iter().map(|one| self.take_over(cx, one))),
        )
        .await
        .map(|_| ())
    }

    /// The services of the last deployment.
    async fn involved(&self, cx: &Cx) -> Result<BTreeSet<String>, TargetError> {
        let records = self.journal.read(cx.deployment).await;
        let records = records.map_err(|error| TargetError::unreachable("the journal", error))?;
        let plan: Option<&Plan> = records.first().and_then(|record| match &record.event {
            Event::Planned { plan } => Some(&**plan),
            _ => None,
        });
        Ok(plan.into_iter().flat_map(Plan::releases).map(|release| release.service.to_string()).collect())
    }

    async fn take_over<K: Kind + 'static>(&self, cx: &Cx, object: &K) -> Result<(), TargetError> {
        let name = object.name_any();
        let mut there = object.clone();
        for _ in 0..ATTEMPTS {
            crate::stamp::admit(cx, there.meta())?;
            if Stamp::on(there.meta()).is_some_and(|stamp| stamp.fence == cx.fence) {
                return Ok(());
            }
            match self.api.patch::<K>(&name, Change::new(JsonPatch::new()).stamped(cx, &there)).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_stale() => match self.api.get::<K>(&name).await? {
                    Some(now) => there = now,
                    None => return Ok(()),
                },
                Err(error) if error.code() == Some(404) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(restless(&name))
    }
}
