use crate::{
    hold::Hold,
    kinds::{Deployment, ReplicaSet},
    names::LAST_APPLIED,
    patch::{JsonPatch, annotation},
    shared::{ATTEMPTS, Change, ChangeOfStamp, Shared, at_most, restless},
    site::{Set, Site, is_leaving},
    stamp::{Stamp, admit},
};
use deploy_core::{
    model::{ReleaseId, ServiceName, WorkloadRef},
    target::{Cx, TargetError},
};
use kube::ResourceExt;
use serde_json::json;
use std::time::Duration;

/// How long the controllers that list a Service's pods may take to see that some are leaving.
const SEEN_BY: Duration = Duration::from_millis(500);

impl Shared {
    /// Takes a set away: one of two that stand side by side, or the only one.
    pub(super) async fn remove(&self, cx: &Cx, workload: &WorkloadRef, keep: bool) -> Result<(), TargetError> {
        let (service, release) = (&workload.service, &workload.release);
        let Some(site) = self.site(service).await? else { return Ok(()) };
        self.strike_out(cx, &site).await?;
        match &site.held {
            Some((held, hold)) if ![held, &hold.beside].contains(&&site.current) => {
                self.give_way(cx, &site, held, hold).await?;
                Err(site.foreign(&site.deployment, &hold.beside))
            }
            Some((held, hold)) if held == release && site.current != *release => {
                self.go_on(cx, &site, hold).await?;
                self.settle_hold(cx, service, release, held).await
            }
            Some((held, hold)) if hold.beside == *release => {
                self.go_back(cx, &site, held, hold).await?;
                self.settle_hold(cx, service, release, held).await?;
                if keep { Ok(()) } else { self.forget(cx, service, release).await }
            }
            Some((held, hold)) if *held == site.current && held == release => {
                let found = format!("{held} held beside {}", hold.beside);
                Err(TargetError::Conflict { expected: format!("{release} alone"), found })
            }
            _ if site.current == *release && keep => self.stop(cx, &site).await,
            _ if site.current == *release => self.delete_deployment(cx, &site).await,
            _ if keep => Ok(()),
            _ => self.forget(cx, service, release).await,
        }
    }

    /// Ends a hold with the new release: its Deployment is the user's own again.
    pub(super) async fn go_on(&self, cx: &Cx, site: &Site, hold: &Hold) -> Result<(), TargetError> {
        let (content, before) = (self.content(&hold.beside).await?, site.template(&hold.beside)?);
        self.change(cx, site, |there| {
            if *there.template() != before {
                return Err(changes(site));
            }
            if !hold.is_on(there) {
                return Ok(None);
            }
            let patch = JsonPatch::new().test("/spec/template", before.clone());
            Ok(Some(Change::new(content.apply_last(there, hold.end(there, patch)))))
        })
        .await
    }

    /// Ends a hold with the old release: template and fields come back in one write, or both sets would be replaced.
    async fn go_back(&self, cx: &Cx, site: &Site, held: &ReleaseId, hold: &Hold) -> Result<(), TargetError> {
        if site.current == *held && !hold.is_on(&site.deployment) {
            return Ok(());
        }
        let old = site.template(held)?;
        let made = site.set(held).and_then(|set| Stamp::on(&set.set.metadata)).and_then(|stamp| stamp.made);
        // what nothing leads to any more may go
        self.narrow(cx, site, Some(&hold.hash)).await?;
        self.change(cx, site, |there| {
            let template = there.template();
            if *template != old && template != site.deployment.template() {
                return Err(changes(site));
            }
            let patch = JsonPatch::new().test("/spec/template", template.clone()).set("/spec/template", old.clone());
            let change = Change { patch: hold.end(there, patch), stamp: ChangeOfStamp::Made(made.clone()) };
            Ok((*template != old || hold.is_on(there)).then_some(change))
        })
        .await
    }

    /// Ends a hold where somebody else brought a third template: Kubernetes rolls that out, as it would have without us, and
    /// both sets serve until then.
    async fn give_way(&self, cx: &Cx, site: &Site, held: &ReleaseId, hold: &Hold) -> Result<(), TargetError> {
        self.narrow(cx, site, None).await?;
        self.change(cx, site, |there| {
            let change = Change { patch: hold.end(there, JsonPatch::new()), stamp: ChangeOfStamp::Made(None) };
            Ok(hold.is_on(there).then_some(change))
        })
        .await?;
        self.releases.clear_hold(cx.fence, held).await
    }

    /// Waits until a set takes no more requests, gives the Services back, and strikes the hold out.
    pub(super) async fn settle_hold(
        &self,
        cx: &Cx,
        service: &ServiceName,
        leaving: &ReleaseId,
        held: &ReleaseId,
    ) -> Result<(), TargetError> {
        let is_off = |site: &Site| {
            site.set(leaving).is_none_or(|Set { set, pods, .. }| {
                set.wanted() == 0 && set.replicas() == 0 && pods.iter().all(|pod| is_leaving(pod))
            })
        };
        self.until(cx, service, &format!("{leaving} to leave"), is_off).await?;
        let soon = Cx { deadline: at_most(cx, SEEN_BY), ..cx.clone() };
        let is_gone = |site: &Site| site.set(leaving).is_none_or(|set| set.pods.is_empty());
        // what takes longer is on its way out, and known to be by now
        let _ = self.until(&soon, service, "its pods to be gone", is_gone).await;
        if let Some(site) = self.site(service).await? {
            self.narrow(cx, &site, None).await?;
        }
        self.releases.clear_hold(cx.fence, held).await
    }

    /// Takes a ReplicaSet out of its Deployment's history.
    async fn forget(&self, cx: &Cx, service: &ServiceName, release: &ReleaseId) -> Result<(), TargetError> {
        let Some(site) = self.site(service).await? else { return Ok(()) };
        let Some(Set { set, .. }) = site.set(release).filter(|_| site.current != *release) else { return Ok(()) };
        let name = set.name_any();
        let mut there = Some(ReplicaSet::clone(set));
        // a late one must not take the same set away once it serves again
        while let Some(now) = there.filter(|now| now.metadata.uid == set.metadata.uid && now.wanted() == 0) {
            self.held.admit(cx.fence)?;
            admit(cx, &now.metadata)?;
            match self.api.delete::<ReplicaSet>(&name, now.resource_version()).await {
                Ok(()) => break,
                Err(error) if error.is_stale() => there = self.api.get::<ReplicaSet>(&name).await?,
                Err(error) => return Err(error.into()),
            }
        }
        let part = self.view.part(service, 1).await?;
        part.owned(&site.deployment).await?.sets.shows_none(&name).await
    }

    /// Stops a Deployment's pods; it stays.
    async fn stop(&self, cx: &Cx, site: &Site) -> Result<(), TargetError> {
        self.change(cx, site, |there| {
            let count = there.replicas();
            let patch = JsonPatch::new().test("/spec/replicas", count).set("/spec/replicas", 0);
            let change = Change { patch, stamp: ChangeOfStamp::Stopped(Some(count)) };
            Ok((count > 0).then_some(change))
        })
        .await?;
        let none = |site: &Site| site.sets.iter().all(|set| set.pods.iter().all(|pod| is_leaving(pod)));
        self.until(cx, &site.service, "its pods to leave", none).await
    }

    /// Takes a Deployment away, and what narrowed its Services for its sake.
    pub(crate) async fn delete_deployment(&self, cx: &Cx, site: &Site) -> Result<(), TargetError> {
        let name = site.service.as_str();
        for service in &site.services {
            admit(cx, &service.metadata)?;
        }
        let mut left = ATTEMPTS;
        while let Some(there) = self.api.get::<Deployment>(name).await? {
            self.held.admit(cx.fence)?;
            admit(cx, &there.metadata)?;
            left = left.checked_sub(1).ok_or_else(|| restless(name))?;
            match self.api.delete::<Deployment>(name, there.resource_version()).await {
                Ok(()) => break,
                Err(error) if error.is_stale() => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.view.part(&site.service, 1).await?.deployments.shows_none(name).await?;
        self.narrow(cx, site, None).await
    }
}

/// The template was changed while we looked: the next look tells what is to be done.
fn changes(site: &Site) -> TargetError {
    TargetError::unreachable("the cluster", format!("the pod template of {} has just changed", site.service))
}

impl crate::content::Content {
    /// Adds what `kubectl apply` is to compare with, where it was used before, or would have been.
    pub(super) fn apply_last(&self, there: &Deployment, patch: JsonPatch) -> JsonPatch {
        let before = there.annotations().get(LAST_APPLIED);
        match &self.last_applied {
            Some(text) if before == Some(text) => patch,
            // on one that kubectl never applied there is nothing to compare with either
            Some(text) => patch.set(annotation(LAST_APPLIED), json!(text)),
            None if before.is_some() => patch.remove(annotation(LAST_APPLIED)),
            None => patch,
        }
    }
}
