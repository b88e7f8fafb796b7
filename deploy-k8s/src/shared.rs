use crate::{
    api::{Api, Kind},
    content::Content,
    hold::Hold,
    kinds::Deployment,
    names,
    objects::{Entry, Inventory, Kinds, Seals},
    patch::{JsonPatch, annotation},
    releases::Releases,
    site::{Parts, Site},
    stamp::{Made, Stamp, admit},
    state::{Held, Known, KubeJournal},
    view::{View, Watched},
};
use deploy_core::{
    model::{ReleaseId, RouterId, ServiceName, TargetId},
    target::{Cx, TargetError},
};
use futures_util::future::{try_join, try_join_all};
use kube::ResourceExt;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

/// How often a write is tried again because somebody else wrote to the same object.
pub(crate) const ATTEMPTS: usize = 10;

/// What target, router and prober of one namespace work with.
pub(crate) struct Shared {
    pub(crate) api: Api,
    pub(crate) target: TargetId,
    pub(crate) router: RouterId,
    pub(crate) releases: Releases,
    pub(crate) journal: Arc<KubeJournal>,
    pub(crate) held: Arc<Held>,
    pub(crate) inventory: Inventory,
    pub(crate) kinds: Kinds,
    pub(crate) seals: Seals,
    /// The kinds of the objects that were seen and in which nothing of value lies.
    pub(crate) disposable: Mutex<BTreeSet<String>>,
    /// The objects of the input; none before any was read.
    pub(crate) meant: tokio::sync::Mutex<Option<BTreeSet<Entry>>>,
    pub(crate) view: Arc<View>,
    /// How long nodes may take to follow a Service.
    pub(crate) settle: Duration,
    /// What was stored or loaded lately, so that it isn't asked for again.
    pub(crate) contents: Mutex<BTreeMap<ReleaseId, Content>>,
}

impl Shared {
    /// A service as it stands; none where it has no Deployment.
    pub(crate) async fn site(&self, service: &ServiceName) -> Result<Option<Site>, TargetError> {
        Ok(self.sites(std::slice::from_ref(service)).await?.pop())
    }

    /// Those of these services that have a Deployment.
    pub(crate) async fn sites(&self, services: &[ServiceName]) -> Result<Vec<Site>, TargetError> {
        Ok(self.sites_and_known(services).await?.0)
    }

    /// The same, and the releases of all these services that are in the store.
    pub(crate) async fn sites_and_known(
        &self,
        services: &[ServiceName],
    ) -> Result<(Vec<Site>, BTreeMap<ReleaseId, Known>), TargetError> {
        // what there is without a key was stored by none of ours
        let Some(key) = self.releases.key_if_there().await? else { return Ok((Vec::new(), BTreeMap::new())) };
        let known = self.releases.of(services);
        let (known, all) = try_join(known, self.view.services()).await?;
        let all = all.all();
        let parts = services.iter().map(async |service| {
            let part = self.view.part(service, services.len()).await?;
            let Some(deployment) = part.deployments.get(service.as_str()) else { return Ok(None) };
            let owned = part.owned(&deployment).await?;
            let known = known.iter().filter(|(_, known)| known.release.service == *service);
            let known: BTreeMap<ReleaseId, Known> = known.map(|(id, known)| (id.clone(), known.clone())).collect();
            let (sets, pods) = (owned.sets.all(), owned.pods.all());
            let parts = Parts { deployment, sets, pods, services: all.clone(), known };
            Ok::<_, TargetError>(Some(Site::of(service, parts, |text| key.hex16(text))))
        });
        let sites = try_join_all(parts).await?;
        Ok((sites.into_iter().flatten().collect(), known))
    }

    /// Waits until a service stands so, at most until the step's deadline.
    pub(crate) async fn until(
        &self,
        cx: &Cx,
        service: &ServiceName,
        expected: &str,
        is: impl Fn(&Site) -> bool,
    ) -> Result<(), TargetError> {
        let mut changes = self.view.changes();
        let late = || TargetError::unreachable("the cluster", format!("expected {expected}, but waited in vain"));
        loop {
            changes.mark_unchanged();
            match self.site(service).await? {
                Some(site) if !is(&site) => {}
                _ => return Ok(()),
            }
            timeout_at(cx.deadline, changes.changed()).await.map_err(|_| late())?.map_err(|_| late())?;
        }
    }

    /// Changes an object to what `change` makes of it as it is; nothing is written where it makes nothing of it. The fence
    /// is part of what must still be there, so that a write which comes too late misses.
    ///
    /// # Errors
    /// What `change` says; [`TargetError::Fenced`] where somebody with a newer fence has written.
    pub(crate) async fn write<K: Kind + 'static>(
        &self,
        cx: &Cx,
        watched: &Watched<K>,
        object: &K,
        change: impl Fn(&K) -> Result<Option<Change>, TargetError>,
    ) -> Result<(), TargetError> {
        let name = object.name_any();
        // what was written since it was looked at is seen
        let mut there = watched.get(&name).map_or_else(|| object.clone(), |seen| (*seen).clone());
        for _ in 0..ATTEMPTS {
            self.held.admit(cx.fence)?;
            admit(cx, there.meta())?;
            let Some(change) = change(&there)? else { return Ok(()) };
            match self.api.patch::<K>(&name, change.stamped(cx, &there)).await {
                Ok(now) => return watched.shows(&now).await,
                Err(error) if error.is_stale() => match self.api.get::<K>(&name).await? {
                    Some(now) => there = now,
                    None => return Err(gone::<K>(&name)),
                },
                Err(error) if error.code() == Some(404) => return Err(gone::<K>(&name)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(restless(&name))
    }

    /// Changes a service's Deployment.
    pub(crate) async fn change(
        &self,
        cx: &Cx,
        site: &Site,
        change: impl Fn(&Deployment) -> Result<Option<Change>, TargetError>,
    ) -> Result<(), TargetError> {
        let part = self.view.part(&site.service, 1).await?;
        self.write(cx, &part.deployments, &*site.deployment, change).await
    }

    /// Stores what runs as the way back needs it, whoever brought it there; with a hold, also that it is held.
    pub(crate) async fn keep(&self, cx: &Cx, site: &Site, hold: Option<&Hold>) -> Result<(), TargetError> {
        let content = Content::of(&site.deployment);
        let release = site.release(&site.current, &content.template);
        // what only its files told, and the Deployment doesn't
        let stored = match self.content(&release.id).await {
            Ok(stored) => stored,
            Err(TargetError::Rejected { .. }) => content.clone(),
            Err(error) => return Err(error),
        };
        let content = Content { copies: stored.copies, secrets: stored.secrets, ..content };
        match hold {
            Some(hold) => self.releases.set_hold(cx.fence, &release, &content.payload(), &hold.text()).await?,
            None => self.releases.store(cx.fence, &release, &content.payload()).await?,
        }
        self.remember(&release.id, &content);
        Ok(())
    }

    /// What a release's payload says.
    pub(crate) async fn content(&self, release: &ReleaseId) -> Result<Content, TargetError> {
        let lately = self.contents.lock().unwrap_or_else(PoisonError::into_inner).get(release).cloned();
        if let Some(content) = lately {
            return Ok(content);
        }
        match self.releases.load(release).await? {
            Some(payload) => {
                let content = Content::read(release, &payload)?;
                self.remember(release, &content);
                Ok(content)
            }
            None => Err(TargetError::Rejected {
                why: format!(
                    "the configuration of {release} isn't in the namespace any more; deploy it again from its files"
                ),
            }),
        }
    }

    pub(crate) fn remember(&self, release: &ReleaseId, content: &Content) {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner).insert(release.clone(), content.clone());
    }
}

/// Somebody else was faster each time.
pub(crate) fn restless(name: &str) -> TargetError {
    TargetError::unreachable("the cluster", format!("somebody else writes to {name} all the time"))
}

fn gone<K: Kind>(name: &str) -> TargetError {
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    TargetError::Conflict { expected: format!("{kind} {name}"), found: "none: somebody deleted it".into() }
}

/// A change of one object, and what is to stand in its stamp beside the fence.
pub(crate) struct Change {
    pub(crate) patch: JsonPatch,
    pub(crate) stamp: ChangeOfStamp,
}

/// What becomes of the stamp's other parts.
pub(crate) enum ChangeOfStamp {
    Stays,
    Made(Option<Made>),
    Stopped(Option<u32>),
}

impl Change {
    pub(crate) fn new(patch: JsonPatch) -> Self {
        Self { patch, stamp: ChangeOfStamp::Stays }
    }

    pub(crate) fn stamped<K: Kind>(self, cx: &Cx, there: &K) -> JsonPatch {
        let (meta, path) = (there.meta(), annotation(names::FENCE));
        let before = Stamp::on(meta);
        let mut stamp = before.unwrap_or(Stamp { fence: cx.fence, made: None, stopped: None });
        stamp.fence = cx.fence;
        match self.stamp {
            ChangeOfStamp::Stays => {}
            ChangeOfStamp::Made(made) => (stamp.made, stamp.stopped) = (made, None),
            ChangeOfStamp::Stopped(stopped) => stamp.stopped = stopped,
        }
        let still = match Stamp::text_on(meta) {
            Some(text) => JsonPatch::new().test(&path, text),
            // nothing to compare but all of it
            None => JsonPatch::new().test("/metadata/resourceVersion", there.resource_version().unwrap_or_default()),
        };
        let still = match meta.annotations {
            Some(_) => still,
            None => still.set("/metadata/annotations", serde_json::json!({})),
        };
        still.then(self.patch).set(path, stamp.text())
    }
}

/// How long is left until the earlier of the step's deadline and this time from now.
pub(crate) fn at_most(cx: &Cx, time: Duration) -> Instant {
    cx.deadline.min(Instant::now() + time)
}
