use crate::{api::Api, names, shared::Shared, state::Key};
use deploy_core::target::{Cx, TargetError};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{ResourceExt, api::ListParams};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// The field that stands in a plan for what a Secret holds.
const SEALED: &str = "sealed";

/// What Secrets of the input hold, by what stands for it in plans. No plan and no journal ever has it.
#[derive(Default)]
pub(crate) struct Seals(Mutex<BTreeMap<String, Value>>);

/// Whether a manifest is a Secret's.
pub(crate) fn is_secret(manifest: &Value) -> bool {
    manifest["apiVersion"] == "v1" && manifest["kind"] == "Secret"
}

/// A Secret's manifest as plans may have it, and the seal that stands for its content: a hash by the namespace's key.
pub(crate) fn seal(manifest: &Value, key: &Key) -> (Value, String) {
    let mut whole = manifest.clone();
    whole.sort_all_objects();
    let seal = key.hex16(&whole.to_string());
    let named = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": manifest["metadata"]["name"] }, SEALED: seal });
    (named, seal)
}

/// The seal in a plan's object.
pub(crate) fn seal_of(spec: &Value) -> Option<&str> {
    spec[SEALED].as_str()
}

/// A Secret's manifest as the server has it: what is written as text is there in base64.
pub(crate) fn as_kept(manifest: &Value) -> Value {
    let Some(texts) = manifest["stringData"].as_object() else { return manifest.clone() };
    let mut kept = manifest.clone();
    for (name, text) in texts {
        let bytes = ByteString(text.as_str().unwrap_or_default().into());
        kept["data"][name] = serde_json::to_value(bytes).unwrap_or_default();
    }
    if let Some(kept) = kept.as_object_mut() {
        kept.shift_remove("stringData");
    }
    kept
}

impl Seals {
    pub(crate) fn add(&self, seal: &str, manifest: &Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(seal.to_owned(), manifest.clone());
    }

    pub(crate) fn get(&self, seal: &str) -> Option<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(seal).cloned()
    }
}

/// Keeps what a Secret held before it is changed, for the way back.
pub(crate) async fn keep(api: &Api, seal: &str, manifest: &Value) -> Result<(), TargetError> {
    let kept = Secret {
        metadata: ObjectMeta {
            name: Some(name(seal)),
            labels: Some(names::labels_of(names::SEALED)),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("manifest".to_owned(), ByteString(manifest.to_string().into_bytes()))])),
        immutable: Some(true),
        ..Secret::default()
    };
    match api.create(&kept).await {
        Err(error) if error.code() == Some(409) => Ok(()),
        answer => Ok(answer.map(|_| ())?),
    }
}

/// What was kept under a seal.
pub(crate) async fn kept(api: &Api, seal: &str) -> Result<Option<Value>, TargetError> {
    let found = api.get::<Secret>(&name(seal)).await?;
    let data = found.and_then(|found| found.data.unwrap_or_default().remove("manifest"));
    Ok(data.and_then(|bytes| serde_json::from_slice(&bytes.0).ok()))
}

impl Shared {
    /// Takes away what Secrets held before they were changed: no way back needs it any more.
    pub(crate) async fn forget_kept(&self, cx: &Cx) -> Result<(), TargetError> {
        let kept = ListParams::default().labels(&format!("{}={}", names::KIND, names::SEALED));
        for secret in self.api.list_metadata::<Secret>(&kept).await? {
            self.held.admit(cx.fence)?;
            self.api.delete::<Secret>(&secret.name_any(), None).await?;
        }
        Ok(())
    }
}

fn name(seal: &str) -> String {
    format!("deploy-kept-{seal}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_secret_holds_is_in_what_plans_have() {
        let manifest = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "db", "annotations": { "hint": "hunter1" } },
            "stringData": { "password": "hunter2" }, "data": { "token": "aHVudGVyMw==" },
        });
        let (named, seal) = seal(&manifest, &Key::for_tests());
        let text = named.to_string();
        assert!(!text.contains("hunter") && !text.contains("aHVu"), "{text}");
        assert_eq!(seal_of(&named), Some(seal.as_str()));
        assert_eq!(as_kept(&manifest)["data"]["password"], "aHVudGVyMg==");
    }
}
