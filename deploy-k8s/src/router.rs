use crate::{
    patch::JsonPatch,
    shared::{Change, Shared},
    site::{NOBODY, Site},
};
use async_trait::async_trait;
use deploy_core::{
    model::{Millis, ReleaseId, RouterId, ServiceName, Shares, WorkloadRef},
    router::{Router, Uptake},
    target::{Cx, TargetError},
};
use futures_util::future::try_join_all;
use k8s_openapi::api::core::v1::{Endpoints, Service};
use kube::{ResourceExt, runtime::wait::await_condition};
use std::{collections::BTreeSet, sync::Arc};
use tokio::time::timeout_at;

/// Moves requests by the selectors of the user's own Services.
pub(crate) struct ServiceRouter {
    pub(crate) shared: Arc<Shared>,
}

/// Whom a Service is to select.
enum Selected<'s> {
    /// Whom the user has it.
    All,
    /// The pods of one ReplicaSet.
    Only(&'s str),
}

#[async_trait]
impl Router for ServiceRouter {
    fn id(&self) -> &RouterId {
        &self.shared.router
    }

    async fn route(&self, cx: &Cx, service: &ServiceName, from: &Shares, to: &Shares) -> Result<Uptake, TargetError> {
        let shared = &self.shared;
        let Some(site) = shared.site(service).await? else {
            return match to.is_empty() {
                true => Ok(Uptake::Acknowledged),
                false => {
                    Err(TargetError::Conflict { expected: to.to_string(), found: format!("no Deployment {service}") })
                }
            };
        };
        let now = site.shares(&shared.target);
        if now != *from && now != *to {
            return Err(TargetError::Conflict { expected: from.to_string(), found: now.to_string() });
        }
        for one in &site.services {
            crate::stamp::admit(cx, &one.metadata)?;
        }
        let hash = match selected(&site, to)? {
            Selected::All => None,
            Selected::Only(hash) => Some(hash.to_owned()),
        };
        if let (Some(_), Some((_, hold))) = (&hash, &site.held)
            && hold.is_on(&site.deployment)
            && !site.deployment.is_paused()
        {
            // from now on another template of somebody else's would take the new pods away
            shared
                .change(cx, &site, |there| {
                    let pause = || Change::new(JsonPatch::new().set("/spec/paused", true));
                    Ok((hold.is_on(there) && !there.is_paused()).then(pause))
                })
                .await?;
        }
        if site.services.is_empty() {
            return Ok(Uptake::Acknowledged);
        }
        // if all are narrowed already, an earlier try may have done it only just now
        shared.narrow(cx, &site, hash.as_deref()).await?;
        let leaves = |release: &ReleaseId| to.iter().all(|share| share.workload.release != *release);
        let is_empty = site.sets.iter().filter(|set| !leaves(&set.release)).all(|set| set.pods.is_empty());
        let others = site.sets.iter().filter(|set| leaves(&set.release)).flat_map(|set| &set.pods);
        let others: BTreeSet<_> = others.map(|pod| pod.name_any()).collect();
        let leads = site.services.iter().map(|service| shared.leads_past(cx, service, &others, is_empty));
        try_join_all(leads).await?;
        Ok(Uptake::Settle(Millis::from(shared.settle)))
    }

    /// Nobody can count what is in flight: a Service's connections go from node to pod. The time to settle was waited for,
    /// and a pod ends what it has begun while it is stopped.
    async fn drain(&self, _: &Cx, _: &WorkloadRef, _: Millis) -> Result<Option<u64>, TargetError> {
        Ok(None)
    }
}

impl Shared {
    /// Waits until none of these pods is in a Service's list of addresses any more and, unless there is none, another one is:
    /// which proves that its controller has followed, if not the nodes. Which others doesn't matter: their number may
    /// change just now.
    async fn leads_past(
        &self,
        cx: &Cx,
        service: &Service,
        pods: &BTreeSet<String>,
        may_be_empty: bool,
    ) -> Result<(), TargetError> {
        let is_so = |endpoints: Option<&Endpoints>| {
            let subsets = endpoints.and_then(|endpoints| endpoints.subsets.as_ref()).into_iter().flatten();
            let mut listed = subsets.flat_map(|subset| subset.addresses.iter().flatten()).peekable();
            let is_past = |name: Option<&String>| name.is_none_or(|name| !pods.contains(name));
            (may_be_empty || listed.peek().is_some())
                && listed.all(|address| is_past(address.target_ref.as_ref().and_then(|to| to.name.as_ref())))
        };
        let name = service.name_any();
        let late = |cause: String| TargetError::unreachable(format!("the controller of Service {name}"), cause);
        match timeout_at(cx.deadline, await_condition(self.api.of::<Endpoints>(), &name, is_so)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(late(error.to_string())),
            Err(_) => Err(late("its addresses are still others".into())),
        }
    }
}

fn selected<'s>(site: &'s Site, to: &Shares) -> Result<Selected<'s>, TargetError> {
    let mut shares = to.iter();
    match (shares.next(), shares.next()) {
        (None, _) => Ok(Selected::Only(NOBODY)),
        (Some(share), None) => {
            let release = &share.workload.release;
            let is_alone = site.held.is_none() && site.current == *release;
            if is_alone {
                return Ok(Selected::All);
            }
            let hash = site.set(release).filter(|_| site.asked(release) > 0).and_then(|set| set.set.hash());
            hash.map(Selected::Only).ok_or_else(|| TargetError::Conflict {
                expected: format!("pods of {release}"),
                found: format!("only such of {}", site.current),
            })
        }
        _ => Err(TargetError::Rejected {
            why:
                "a Service sends its requests to one release or to all pods alike; shares of two need as many pods each"
                    .into(),
        }),
    }
}
