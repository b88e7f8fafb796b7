use crate::{
    content::Content,
    hold::Hold,
    kinds::Deployment,
    names::HASH,
    patch::{JsonPatch, path},
    shared::{Change, ChangeOfStamp, Shared},
    site::{Site, pin},
    stamp::{Made, Stamp},
};
use deploy_core::{
    model::{ReleaseId, ServiceName, WorkloadRef},
    target::{Cx, TargetError},
};
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a controller may take to make a ReplicaSet, once it works.
const MADE_BY: Duration = Duration::from_secs(30);

impl Shared {
    /// Puts a set beside what runs, or makes the Deployment where there is none.
    pub(super) async fn ensure(&self, cx: &Cx, workload: &WorkloadRef) -> Result<(), TargetError> {
        let (service, new) = (&workload.service, &workload.release);
        let Some(site) = self.site(service).await? else { return self.create(cx, workload).await };
        if site.current == *new {
            return self.wake(cx, &site).await;
        }
        let site = match &site.held {
            Some((held, hold)) if hold.is_on(&site.deployment) => {
                if held == new {
                    return Ok(());
                }
                let found = format!("{held} held beside {}", hold.beside);
                return Err(TargetError::Conflict { expected: format!("{service} with one release"), found });
            }
            // the end of a hold was begun: what was held is on its way out, whether it is wanted again or not
            Some((held, _)) if *held != site.current => {
                self.settle_hold(cx, service, held, held).await?;
                let Some(site) = self.site(service).await? else { return self.create(cx, workload).await };
                site
            }
            _ => site,
        };
        if site.deployment.replicas() == 0 {
            // nobody is to be kept from leaving
            return self.put(cx, &site, &site.current, new, wake).await;
        }
        let hold = self.hold(cx, &site, new).await?;
        self.narrow(cx, &site, Some(hold.hash.as_str())).await?;
        self.put(cx, &site, &site.current, new, |_, _, patch| Hold::begin(patch)).await
    }

    async fn create(&self, cx: &Cx, workload: &WorkloadRef) -> Result<(), TargetError> {
        let content = self.content(&workload.release).await?;
        self.make_copies(cx, &content.copies).await?;
        let mut deployment = content.deployment()?;
        let made = Some(Made::by(cx, &workload.release));
        let stamp = Stamp { fence: cx.fence, made, stopped: None };
        let annotations = deployment.metadata.annotations.get_or_insert_default();
        annotations.insert(crate::names::FENCE.into(), stamp.text());
        self.held.admit(cx.fence)?;
        let there = match self.api.create(&deployment).await {
            // an earlier try has made it, and it isn't seen yet
            Err(error) if error.code() == Some(409) => self.api.get(workload.service.as_str()).await?,
            answer => Some(answer?),
        };
        match there {
            Some(there) => self.view.part(&workload.service, 1).await?.deployments.shows(&there).await?,
            None => return Err(TargetError::unreachable("the cluster", "the Deployment is being deleted")),
        }
        match self.site(&workload.service).await? {
            Some(site) if site.current != workload.release => {
                return Err(site.foreign(&site.deployment, &workload.release));
            }
            _ => {}
        }
        if content.copies.is_empty() {
            return Ok(());
        }
        let (service, release) = (&workload.service, &workload.release);
        let made = Cx { deadline: crate::shared::at_most(cx, MADE_BY), ..cx.clone() };
        self.until(&made, service, "its ReplicaSet", |site| site.set(release).is_some()).await?;
        self.own(cx, service, release, &content).await
    }

    /// Gives what a release is configured by to its ReplicaSet.
    async fn own(
        &self,
        cx: &Cx,
        service: &ServiceName,
        release: &ReleaseId,
        content: &Content,
    ) -> Result<(), TargetError> {
        if content.copies.is_empty() {
            return Ok(());
        }
        match self.site(service).await?.as_ref().and_then(|site| site.set(release)) {
            Some(set) => self.own_copies(cx, set, &content.copies).await,
            None => Ok(()),
        }
    }

    /// Starts what we stopped.
    async fn wake(&self, cx: &Cx, site: &Site) -> Result<(), TargetError> {
        let stopped = Stamp::on(&site.deployment.metadata).and_then(|stamp| stamp.stopped);
        let (Some(count), 0) = (stopped, site.deployment.replicas()) else { return Ok(()) };
        let made = Made::by(cx, &site.current);
        self.change(cx, site, |there| {
            let patch = JsonPatch::new().test("/spec/replicas", 0).set("/spec/replicas", count);
            let change = Change { patch, stamp: ChangeOfStamp::Made(Some(made.clone())) };
            Ok((there.replicas() == 0).then_some(change))
        })
        .await
    }

    /// Writes down what runs, and that it is held. An earlier try may have done so, and somebody may have changed the fields
    /// since.
    async fn hold(&self, cx: &Cx, site: &Site, new: &ReleaseId) -> Result<Hold, TargetError> {
        self.strike_out(cx, site).await?;
        let hash = match site.hash(&site.current) {
            Some(hash) => hash.to_owned(),
            None => {
                let cause = format!("the cluster hasn't made the ReplicaSet of {} yet", site.current);
                return Err(TargetError::unreachable("the cluster", cause));
            }
        };
        let hold = Hold::of(&site.deployment, &hash, new);
        self.keep(cx, site, Some(&hold)).await?;
        Ok(hold)
    }

    /// Takes away what is written down of holds that aren't there.
    pub(super) async fn strike_out(&self, cx: &Cx, site: &Site) -> Result<(), TargetError> {
        for release in &site.not_held {
            self.releases.clear_hold(cx.fence, release).await?;
        }
        Ok(())
    }

    /// Brings a template in the place of another, with what else is to be written in the same moment.
    pub(super) async fn put(
        &self,
        cx: &Cx,
        site: &Site,
        from: &ReleaseId,
        to: &ReleaseId,
        with: impl Fn(&Deployment, &Content, JsonPatch) -> JsonPatch,
    ) -> Result<(), TargetError> {
        let (content, before) = (self.content(to).await?, site.template(from)?);
        self.make_copies(cx, &content.copies).await?;
        let made = Made::by(cx, to);
        self.change(cx, site, |there| {
            let template = there.template();
            if *template == content.template {
                return Ok(None);
            }
            if *template != before {
                return Err(site.foreign(there, from));
            }
            let patch =
                JsonPatch::new().test("/spec/template", before.clone()).set("/spec/template", content.template.clone());
            let patch = with(there, &content, patch);
            Ok(Some(Change { patch, stamp: ChangeOfStamp::Made(Some(made.clone())) }))
        })
        .await?;
        let expected = format!("the ReplicaSet of {to}");
        let cx = Cx { deadline: crate::shared::at_most(cx, MADE_BY), ..cx.clone() };
        self.until(&cx, &site.service, &expected, |site| site.current != *to || site.set(to).is_some()).await?;
        self.own(&cx, &site.service, to, &content).await
    }

    /// Sends the requests of a site's Services to the pods of one ReplicaSet; without one, to whom the user has it.
    pub(crate) async fn narrow(&self, cx: &Cx, site: &Site, hash: Option<&str>) -> Result<(), TargetError> {
        let watched = self.view.services().await?;
        // in the order of their names: the last one tells that all are moved
        for service in site.services.iter().filter(|service| pin(service) != hash) {
            self.write(cx, &watched, &**service, |there| {
                Ok((pin(there) != hash).then(|| Change::new(pinned(there, hash))))
            })
            .await?;
        }
        Ok(())
    }
}

/// Brings a release in the place of one that we stopped, as large as that was.
fn wake(there: &Deployment, content: &Content, patch: JsonPatch) -> JsonPatch {
    let patch = content.apply_last(there, patch);
    match Stamp::on(&there.metadata).and_then(|stamp| stamp.stopped) {
        Some(count) => patch.set("/spec/replicas", count),
        None => patch,
    }
}

fn pinned(service: &Service, hash: Option<&str>) -> JsonPatch {
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.clone()).unwrap_or_default();
    let field = path(["spec", "selector", HASH]);
    let patch = JsonPatch::new().test("/spec/selector", json!(selector));
    match hash {
        Some(hash) => patch.set(field, Value::from(hash)),
        None => patch.remove(field),
    }
}
