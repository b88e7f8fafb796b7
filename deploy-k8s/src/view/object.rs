use super::Watched;
use crate::{api::Api, kinds::selector, objects::Resolved};
use deploy_core::{model::ObjectRef, target::TargetError};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, core::DynamicObject, runtime::watcher::Config};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// One object that is waited for, with its pods once they are asked for.
pub(crate) struct SeenObject {
    api: Api,
    changes: watch::Sender<()>,
    name: String,
    pub(crate) object: Watched<DynamicObject>,
    pods: Mutex<Option<Arc<Watched<Pod>>>>,
}

impl SeenObject {
    pub(super) fn begin(api: &Api, object: &ObjectRef, resource: &Resolved, changes: watch::Sender<()>) -> Self {
        let only = Config::default().fields(&format!("metadata.name={}", object.name));
        Self {
            object: Watched::begin_at(resource.of(api), object.kind.clone(), only, changes.clone()),
            api: api.clone(),
            changes,
            name: object.name.clone(),
            pods: Mutex::default(),
        }
    }

    /// As it is now.
    pub(crate) fn now(&self) -> Option<Arc<DynamicObject>> {
        self.object.get(&self.name)
    }

    /// The pods that it owns.
    pub(crate) async fn pods(&self, owner: &DynamicObject) -> Result<Vec<Arc<Pod>>, TargetError> {
        let pods = {
            let mut pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = || {
                let selection = Config::default().labels(&selector(&owner.data["spec"]["selector"]));
                Arc::new(Watched::begin(&self.api, selection, self.changes.clone()))
            };
            Arc::clone(pods.get_or_insert_with(begin))
        };
        pods.up().await?;
        let owned =
            |pod: &Arc<Pod>| pod.owner_references().iter().any(|by| Some(&by.uid) == owner.metadata.uid.as_ref());
        Ok(pods.all().into_iter().filter(owned).collect())
    }
}
