use super::{
    Entry, Resolved, covers, is_deployment, is_secret, seal,
    sealed::{as_kept, keep, kept, seal_of},
    settings,
    settings::with_settings,
};
use crate::{
    api::answered,
    manifest::merge::{ApplyPatch, last_applied, patch},
    names::{FENCE, HASH, LAST_APPLIED, MANAGER},
    shared::{ATTEMPTS, Shared, restless},
    stamp::{Stamp, admit},
};
use deploy_core::{
    journal::Journal,
    model::{Event, Object, ObjectRef},
    target::{Cx, TargetError},
};
use futures_util::future::{try_join, try_join_all};
use k8s_openapi::api::core::v1::Service;
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
    core::DynamicObject,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::PoisonError};

/// What isn't taken away because it left the input: data lies in it, or others live in it.
const VALUABLE: [&str; 6] = [
    "deployment.apps",
    "persistentvolumeclaim",
    "persistentvolume",
    "namespace",
    "storageclass.storage.k8s.io",
    "customresourcedefinition.apiextensions.k8s.io",
];

impl Shared {
    /// The objects of the namespace that deployments are about, as they were asked for; one that isn't any more as it was, as
    /// it is.
    pub(crate) async fn applied(&self) -> Result<Vec<Object>, TargetError> {
        let (mut entries, meant) = try_join(self.inventory.read(), self.meant_objects()).await?;
        entries.extend(meant);
        let kinds = entries
            .iter()
            .map(|entry| entry.object(&self.target).kind)
            .filter(|kind| !VALUABLE.contains(&kind.as_str()));
        self.disposable.lock().unwrap_or_else(PoisonError::into_inner).extend(kinds);
        let found = try_join_all(entries.iter().map(|entry| self.applied_one(entry))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// What the input at hand means; without one, what the last deployment was about. Objects that were there already, and
    /// as they are to be, are in no inventory.
    async fn meant_objects(&self) -> Result<BTreeSet<Entry>, TargetError> {
        let mut meant = self.meant.lock().await;
        if let Some(meant) = &*meant {
            return Ok(meant.clone());
        }
        let unread = |error| TargetError::unreachable("the journal", error);
        let last = self.journal.deployments().await.map_err(unread)?.pop();
        let Some(last) = last else { return Ok(BTreeSet::new()) };
        let records = self.journal.read(last).await.map_err(unread)?;
        let objects = match records.first().map(|record| &record.event) {
            Some(Event::Planned { plan }) => plan.services.iter().flat_map(|spec| &spec.objects).collect(),
            _ => Vec::new(),
        };
        Ok(meant.insert(objects.into_iter().map(Entry::of).collect()).clone())
    }

    async fn applied_one(&self, entry: &Entry) -> Result<Option<Object>, TargetError> {
        let there = match entry.is_service() {
            // seen without being asked for
            true => self.view.services().await?.get(&entry.name).map(|service| untyped(&service)).transpose()?,
            false => match self.kinds.find(&self.api, &entry.api_version, &entry.kind).await? {
                Some(resolved) => self.there(&resolved, &entry.object(&self.target)).await?,
                None => None,
            },
        };
        let Some(there) = there else { return Ok(None) };
        let spec = match asked(&there) {
            secret if is_secret(&secret) => seal(&secret, &self.releases.key().await?).0,
            deployment if is_deployment(&deployment) => settings(&deployment),
            other => other,
        };
        Ok(Some(Object { object: entry.object(&self.target), spec }))
    }

    /// The manifest that an object of a plan stands for.
    async fn manifest(&self, object: &Object) -> Result<Value, TargetError> {
        let Some(seal) = seal_of(&object.spec) else { return Ok(object.spec.clone()) };
        if let Some(manifest) = self.seals.get(seal) {
            return Ok(manifest);
        }
        if let Some(manifest) = kept(&self.api, seal).await? {
            return Ok(manifest);
        }
        for release in self.releases.all().await? {
            if let Some(manifest) = self.content(&release).await?.secrets.get(seal) {
                return Ok(manifest.clone());
            }
        }
        Err(TargetError::Rejected {
            why: format!("what {} is to hold isn't at hand; run `up` with its file again", object.object),
        })
    }

    pub(super) async fn there(
        &self,
        resolved: &Resolved,
        object: &ObjectRef,
    ) -> Result<Option<DynamicObject>, TargetError> {
        Ok(answered(format!("read {object}"), resolved.of(&self.api).get_opt(&object.name)).await?)
    }

    /// Makes an object be as its manifest says, as `kubectl apply` would.
    pub(crate) async fn apply(&self, cx: &Cx, object: &Object) -> Result<(), TargetError> {
        let manifest = &self.manifest(object).await?;
        let entry = Entry::of(object);
        let resolved = self.kinds.resolve(&self.api, &entry.api_version, &entry.kind).await?;
        for _ in 0..ATTEMPTS {
            let there = self.there(&resolved, &object.object).await?;
            self.held.admit(cx.fence)?;
            let doing = format!("apply {}", object.object);
            let to = resolved.of(&self.api);
            let answer = match &there {
                // comes with its first release
                None if is_deployment(manifest) => return Ok(()),
                None => {
                    // what was there before stays the user's: a way back never takes it away
                    self.inventory.add(cx.fence, &entry).await?;
                    let new = serde_json::from_value(annotated(manifest, cx));
                    let new: DynamicObject = new.map_err(|error| TargetError::Rejected {
                        why: format!("expected to {doing}, but its manifest is none: {error}"),
                    })?;
                    let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
                    answered(doing, to.create(&params, &new)).await
                }
                Some(there) => {
                    admit(cx, &there.metadata)?;
                    if is_secret(manifest) {
                        let before = asked(there);
                        keep(&self.api, &seal(&before, &self.releases.key().await?).1, &before).await?;
                    }
                    let last: Option<Value> =
                        there.annotations().get(LAST_APPLIED).and_then(|text| serde_json::from_str(text).ok());
                    let before =
                        last.as_ref().map(|last| if is_deployment(last) { settings(last) } else { last.clone() });
                    let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
                    let mut patch = patch(before.as_ref(), manifest);
                    let (ApplyPatch::Strategic(body) | ApplyPatch::Merge(body)) = &mut patch;
                    if is_deployment(manifest) {
                        // what runs is told once it does
                        let whole =
                            last.map_or(Value::Null, |last| json!(last_applied(&with_settings(&last, manifest))));
                        body["metadata"]["annotations"][LAST_APPLIED] = whole;
                    }
                    body["metadata"]["annotations"][FENCE] = json!(stamp(cx, Some(there)).text());
                    body["metadata"]["resourceVersion"] = json!(there.resource_version());
                    let patch = match &patch {
                        ApplyPatch::Strategic(body) => Patch::Strategic(body),
                        ApplyPatch::Merge(body) => Patch::Merge(body),
                    };
                    answered(doing, to.patch(&object.object.name, &params, &patch)).await
                }
            };
            match answer {
                Ok(now) => {
                    // what was watched before may be seen as it was before
                    self.view.leave(&object.object);
                    return self.services_show(&entry, &now).await;
                }
                Err(error) if error.is_stale() || there.is_some() && error.code() == Some(404) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(restless(&object.object.to_string()))
    }

    /// Takes an object away that was applied.
    pub(crate) async fn delete(&self, cx: &Cx, object: &ObjectRef) -> Result<(), TargetError> {
        let Some(entry) = self.inventory.find(object).await? else { return Ok(()) };
        // where its kind is gone, it is too
        let resolved = self.kinds.find(&self.api, &entry.api_version, &entry.kind).await?;
        // a Deployment goes with what it runs, never with its settings
        let resolved = resolved.filter(|_| entry.kind != "Deployment");
        for _ in 0..ATTEMPTS {
            let Some(resolved) = &resolved else { break };
            let Some(there) = self.there(resolved, object).await? else { break };
            self.held.admit(cx.fence)?;
            admit(cx, &there.metadata)?;
            let preconditions = Preconditions { resource_version: there.resource_version(), uid: None };
            let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
            match answered(format!("delete {object}"), resolved.of(&self.api).delete(&object.name, &params)).await {
                Ok(_) => break,
                Err(error) if error.is_stale() || error.code() == Some(404) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.view.leave(object);
        if entry.is_service() {
            self.view.services().await?.shows_none(&entry.name).await?;
        }
        self.held.admit(cx.fence)?;
        self.inventory.strike(cx.fence, &entry).await
    }

    /// Waits until a Service that was written is seen: routes are read off what is seen.
    async fn services_show(&self, entry: &Entry, now: &DynamicObject) -> Result<(), TargetError> {
        if !entry.is_service() {
            return Ok(());
        }
        let service = serde_json::to_value(now).and_then(serde_json::from_value);
        let service = service.map_err(|error| TargetError::unreachable("the API server", error))?;
        self.view.services().await?.shows(&service).await
    }
}

/// A manifest with the annotations that tell what was applied, and by whom.
fn annotated(manifest: &Value, cx: &Cx) -> Value {
    let mut object = manifest.clone();
    if !object["metadata"]["annotations"].is_object() {
        object["metadata"]["annotations"] = json!({});
    }
    object["metadata"]["annotations"][LAST_APPLIED] = json!(last_applied(manifest));
    object["metadata"]["annotations"][FENCE] = json!(stamp(cx, None).text());
    object
}

fn stamp(cx: &Cx, there: Option<&DynamicObject>) -> Stamp {
    let before = there.and_then(|there| Stamp::on(&there.metadata));
    Stamp { fence: cx.fence, ..before.unwrap_or(Stamp { fence: cx.fence, made: None, stopped: None }) }
}

/// Takes off a Service what only narrows it for the time of a deployment.
fn unpin(service: &mut Value) {
    if let Some(selector) = service.pointer_mut("/spec/selector").and_then(Value::as_object_mut) {
        selector.shift_remove(HASH);
    }
}

/// A Service as any object is read.
fn untyped(service: &Service) -> Result<DynamicObject, TargetError> {
    let mut value = serde_json::to_value(service).unwrap_or_default();
    // what is listed doesn't say what it is
    (value["apiVersion"], value["kind"]) = (json!("v1"), json!("Service"));
    serde_json::from_value(value).map_err(|error| TargetError::unreachable("the API server", error))
}

/// What is asked of an object that is there: the manifest that it was applied from, or else what it is like.
pub(crate) fn asked(there: &DynamicObject) -> Value {
    let last = there.annotations().get(LAST_APPLIED).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut now = serde_json::to_value(there).unwrap_or_default();
    unpin(&mut now);
    match last {
        Some(last) if covers(&now, &as_kept(&last)) => last,
        Some(last) => within(&now, &as_kept(&last)),
        None => bare(now),
    }
}

/// An object without what the server and we write on it.
fn bare(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("status");
    }
    let metadata = object["metadata"].take();
    let named = |name: &str| (name.to_owned(), metadata[name].clone());
    let kept = ["name", "namespace", "labels", "annotations"].map(named);
    let mut kept = serde_json::Map::from_iter(kept.into_iter().filter(|(_, value)| !value.is_null()));
    if let Some(annotations) = kept.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|name, _| name != FENCE && !name.starts_with("deployment.kubernetes.io/"));
    }
    object["metadata"] = Value::Object(kept);
    object
}

/// What is there of what a manifest names.
fn within(there: &Value, manifest: &Value) -> Value {
    match (there, manifest) {
        (Value::Object(there), Value::Object(map)) => {
            let named = map.iter().filter_map(|(name, value)| Some((name.clone(), within(there.get(name)?, value))));
            Value::Object(named.collect())
        }
        (there, _) => there.clone(),
    }
}
