use crate::{
    api::Api,
    names,
    patch::{JsonPatch, path},
    shared::{ATTEMPTS, restless},
    stamp::Stamp,
    state::Held,
};
use deploy_core::{
    model::{Fence, Object, ObjectRef, TargetId},
    target::TargetError,
};
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::Mutex;

const DATA: &str = "objects";

/// Which objects of the namespace are ours to change and to take away: those that were applied. Kept in a ConfigMap, since
/// no label of ours is put on what belongs to the user.
pub(crate) struct Inventory {
    api: Api,
    held: Arc<Held>,
    /// As it was read or written last.
    lately: Mutex<Option<Lately>>,
}

#[derive(Clone, Default)]
struct Lately {
    /// Under which lease; while it is ours nobody else writes there.
    fence: Option<Fence>,
    text: Option<String>,
    entries: BTreeSet<Entry>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
}

impl Entry {
    /// That of a plan's object.
    pub(crate) fn of(object: &Object) -> Self {
        let field = |name: &str| object.spec[name].as_str().unwrap_or_default().to_owned();
        Self { api_version: field("apiVersion"), kind: field("kind"), name: object.object.name.clone() }
    }

    /// The group of its kind: empty for the core's.
    pub(crate) fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// What plans call it.
    pub(crate) fn object(&self, target: &TargetId) -> ObjectRef {
        let kind = super::kind_name(&self.api_version, &self.kind);
        ObjectRef { target: target.clone(), kind, name: self.name.clone() }
    }

    pub(crate) fn is_service(&self) -> bool {
        self.api_version == "v1" && self.kind == "Service"
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.api_version == "v1" && self.kind == "Secret"
    }

    fn is(&self, object: &ObjectRef) -> bool {
        self.name == object.name && super::kind_name(&self.api_version, &self.kind) == object.kind
    }
}

impl Inventory {
    pub(crate) fn new(api: Api, held: Arc<Held>) -> Self {
        Self { api, held, lately: Mutex::default() }
    }

    /// All of them, as they are now.
    pub(crate) async fn read(&self) -> Result<BTreeSet<Entry>, TargetError> {
        let mut lately = self.lately.lock().await;
        let is_ours = |known: &&Lately| known.fence.is_some() && known.fence == self.held.ours();
        if let Some(known) = lately.as_ref().filter(is_ours) {
            return Ok(known.entries.clone());
        }
        let now = self.fetch().await?;
        let entries = now.entries.clone();
        *lately = Some(now);
        Ok(entries)
    }

    /// The entry of an object, as it was known last.
    pub(crate) async fn find(&self, object: &ObjectRef) -> Result<Option<Entry>, TargetError> {
        let mut lately = self.lately.lock().await;
        let known = match &*lately {
            Some(known) => known,
            None => lately.insert(self.fetch().await?),
        };
        Ok(known.entries.iter().find(|entry| entry.is(object)).cloned())
    }

    async fn fetch(&self) -> Result<Lately, TargetError> {
        let fence = self.held.ours();
        let there = self.api.get::<ConfigMap>(names::OBJECTS).await?;
        let text = there.and_then(|there| there.data.unwrap_or_default().remove(DATA));
        let entries = match text.as_deref().map(serde_json::from_str) {
            None => BTreeSet::new(),
            Some(Ok(entries)) => entries,
            Some(Err(_)) => {
                let why = format!(
                    "expected a list of objects in ConfigMap {}, but found something else; delete it, and deploy again",
                    names::OBJECTS
                );
                return Err(TargetError::Rejected { why });
            }
        };
        Ok(Lately { fence, text, entries })
    }

    /// Notes an object before it is applied.
    pub(crate) async fn add(&self, fence: Fence, entry: &Entry) -> Result<(), TargetError> {
        self.change(fence, |entries| entries.insert(entry.clone())).await
    }

    /// Strikes an object out once it is gone.
    pub(crate) async fn strike(&self, fence: Fence, entry: &Entry) -> Result<(), TargetError> {
        self.change(fence, |entries| entries.remove(entry)).await
    }

    async fn change(&self, fence: Fence, change: impl Fn(&mut BTreeSet<Entry>) -> bool) -> Result<(), TargetError> {
        let mut lately = self.lately.lock().await;
        for _ in 0..ATTEMPTS {
            let before = match lately.take() {
                Some(known) => known,
                None => self.fetch().await?,
            };
            let mut entries = before.entries.clone();
            if !change(&mut entries) {
                *lately = Some(before);
                return Ok(());
            }
            // nothing of it can't be written as JSON
            let text = serde_json::to_string(&entries).unwrap_or_default();
            let answer = match &before.text {
                None => self.api.create(&config_map(fence, &text)).await,
                Some(old) => {
                    let field = path(["data", DATA]);
                    let patch = JsonPatch::new().test(&field, old.as_str()).set(&field, text.as_str());
                    self.api.patch::<ConfigMap>(names::OBJECTS, patch).await
                }
            };
            match answer {
                Ok(_) => {
                    *lately = Some(Lately { fence: before.fence, text: Some(text), entries });
                    return Ok(());
                }
                // somebody else wrote it meanwhile, or took it away
                Err(error) if error.is_stale() || error.code() == Some(404) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(restless(names::OBJECTS))
    }
}

fn config_map(fence: Fence, text: &str) -> ConfigMap {
    let stamp = Stamp { fence, made: None, stopped: None };
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(names::OBJECTS.into()),
            labels: Some(names::labels_of(DATA)),
            annotations: Some(BTreeMap::from([(names::FENCE.into(), stamp.text())])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(DATA.into(), text.into())])),
        ..ConfigMap::default()
    }
}
