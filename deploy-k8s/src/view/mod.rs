//! What there is in the namespace, as it is now: asked for once, then watched, so that a look costs no request.

mod object;
mod watched;

pub(crate) use object::SeenObject;
pub(crate) use watched::Watched;

use crate::{
    api::Api,
    kinds::{Deployment, ReplicaSet},
    objects::Resolved,
};
use deploy_core::{
    model::{ObjectRef, ServiceName},
    target::TargetError,
};
use futures_util::future::try_join;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::runtime::watcher::Config;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

/// Up to so many Deployments are watched one by one; where more are asked for, the namespace is watched as a whole.
const ONE_BY_ONE: usize = 4;

/// What is watched of one namespace.
pub(crate) struct View {
    api: Api,
    changes: watch::Sender<()>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    services: Option<Arc<Watched<Service>>>,
    one_by_one: BTreeMap<ServiceName, Arc<Part>>,
    whole: Option<Arc<Part>>,
    objects: BTreeMap<ObjectRef, Arc<SeenObject>>,
    /// The kinds of objects that may not be watched.
    refused: BTreeSet<String>,
}

/// One Deployment or all of them, with what they own.
pub(crate) struct Part {
    api: Api,
    changes: watch::Sender<()>,
    is_whole: bool,
    pub(crate) deployments: Watched<Deployment>,
    owned: Mutex<Option<Arc<Owned>>>,
}

/// ReplicaSets and pods by one selector.
pub(crate) struct Owned {
    selector: String,
    pub(crate) sets: Watched<ReplicaSet>,
    pub(crate) pods: Watched<Pod>,
}

impl View {
    pub(crate) fn new(api: Api) -> Self {
        Self { api, changes: watch::Sender::new(()), open: Mutex::default() }
    }

    /// Wakes up whoever listens, after each change.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// The namespace's Services.
    pub(crate) async fn services(&self) -> Result<Arc<Watched<Service>>, TargetError> {
        let services = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = || Arc::new(Watched::begin(&self.api, Config::default(), self.changes.clone()));
            Arc::clone(open.services.get_or_insert_with(begin))
        };
        services.up().await.map(|()| services)
    }

    /// A pod that is seen already.
    pub(crate) fn pod(&self, name: &str) -> Option<Arc<Pod>> {
        self.owned().into_iter().find_map(|owned| owned.pods.get(name))
    }

    /// A ReplicaSet that is seen already.
    pub(crate) fn set(&self, name: &str) -> Option<Arc<ReplicaSet>> {
        self.owned().into_iter().find_map(|owned| owned.sets.get(name))
    }

    fn owned(&self) -> Vec<Arc<Owned>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let owned = |part: &Arc<Part>| part.owned.lock().unwrap_or_else(PoisonError::into_inner).clone();
        open.whole.iter().chain(open.one_by_one.values()).filter_map(owned).collect()
    }

    /// An object that is waited for.
    pub(crate) async fn object(&self, object: &ObjectRef, resource: &Resolved) -> Result<Arc<SeenObject>, TargetError> {
        let seen = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = || Arc::new(SeenObject::begin(&self.api, object, resource, self.changes.clone()));
            Arc::clone(open.objects.entry(object.clone()).or_insert_with(begin))
        };
        seen.object.up().await.map(|()| seen)
    }

    /// Watches an object no longer.
    pub(crate) fn leave(&self, object: &ObjectRef) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).objects.remove(object);
    }

    /// The same, and none of its kind any more: it may not be.
    pub(crate) fn refused(&self, object: &ObjectRef) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.objects.remove(object);
        open.refused.insert(object.kind.clone());
    }

    /// Whether objects of a kind may not be watched.
    pub(crate) fn is_refused(&self, kind: &str) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).refused.contains(kind)
    }

    /// Where a service's Deployment is seen, when so many services are asked for.
    pub(crate) async fn part(&self, service: &ServiceName, of: usize) -> Result<Arc<Part>, TargetError> {
        let part = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = |selection, is_whole| {
                Arc::new(Part {
                    api: self.api.clone(),
                    changes: self.changes.clone(),
                    is_whole,
                    deployments: Watched::begin(&self.api, selection, self.changes.clone()),
                    owned: Mutex::default(),
                })
            };
            if of > ONE_BY_ONE || open.whole.is_some() {
                Arc::clone(open.whole.get_or_insert_with(|| begin(Config::default(), true)))
            } else {
                let only = Config::default().fields(&format!("metadata.name={service}"));
                Arc::clone(open.one_by_one.entry(service.clone()).or_insert_with(|| begin(only, false)))
            }
        };
        part.deployments.up().await.map(|()| part)
    }
}

impl Part {
    /// What a Deployment owns, among other things.
    pub(crate) async fn owned(&self, deployment: &Deployment) -> Result<Arc<Owned>, TargetError> {
        let selector = if self.is_whole { String::new() } else { deployment.selector() };
        let owned = {
            let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
            match &*owned {
                Some(there) if there.selector == selector => Arc::clone(there),
                _ => {
                    let selection = || Config::default().labels(&selector);
                    let begun = Arc::new(Owned {
                        sets: Watched::begin(&self.api, selection(), self.changes.clone()),
                        pods: Watched::begin(&self.api, selection(), self.changes.clone()),
                        selector: selector.clone(),
                    });
                    *owned = Some(Arc::clone(&begun));
                    begun
                }
            }
        };
        try_join(owned.sets.up(), owned.pods.up()).await.map(|_| owned)
    }
}
