use super::{PrepareError, refused};
use crate::{
    api::answered,
    manifest::{Manifest, Manifests, merge::last_applied},
    names::{LAST_APPLIED, MANAGER},
    shared::Shared,
    state::Key,
};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::{api::PostParams, runtime::wait::await_condition};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

/// How long a new namespace may take to get the account that pods run under: one that is made before fails at first.
const ACCOUNT_BY: Duration = Duration::from_secs(10);

impl Shared {
    /// The key of the releases' names, and what people should know of how it got there. Where the namespace isn't there and is
    /// in the input, it is made first: releases can't be named, nor a plan be made, without it.
    pub(super) async fn key_at_home(&self, manifests: &Manifests) -> Result<(Key, Option<String>), PrepareError> {
        let error = match self.releases.key().await {
            Ok(key) => return Ok((key, None)),
            Err(error) => error,
        };
        let (name, all) = (self.api.namespace(), kube::Api::<Namespace>::all(self.api.client().clone()));
        let there = answered(format!("look for Namespace {name}"), all.get_metadata_opt(name)).await;
        // who may not look for it is told what the server said first
        if !matches!(there, Ok(None)) {
            return Err(error.into());
        }
        let is_it = |one: &&Manifest| one.group().is_empty() && one.kind() == "Namespace" && one.name() == name;
        let Some(manifest) = manifests.objects().iter().find(is_it) else {
            return Err(PrepareError::NoNamespace { name: name.to_owned() });
        };
        self.make_home(manifest, &all).await?;
        let said =
            format!("Namespace {name} was made already: releases are named in it. It stays, whatever becomes of them.");
        Ok((self.releases.key().await?, Some(said)))
    }

    async fn make_home(&self, manifest: &Manifest, all: &kube::Api<Namespace>) -> Result<(), PrepareError> {
        let mut object = self.meant(manifest);
        if !object["metadata"]["annotations"].is_object() {
            object["metadata"]["annotations"] = json!({});
        }
        object["metadata"]["annotations"][LAST_APPLIED] = json!(last_applied(&self.meant(manifest)));
        let object: Namespace = serde_json::from_value(object).map_err(|error| PrepareError::Refused {
            at: manifest.place().to_string(),
            object: super::object_name(manifest),
            said: error.to_string(),
        })?;
        let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        match answered(format!("create Namespace {}", manifest.name()), all.create(&params, &object)).await {
            // somebody else was faster
            Err(error) if error.code() == Some(409) => {}
            answer => _ = answer.map_err(|error| refused(manifest, error))?,
        }
        let is_there = |account: Option<&ServiceAccount>| account.is_some();
        // pods that come too early are tried again
        let _ = timeout(ACCOUNT_BY, await_condition(self.api.of(), "default", is_there)).await;
        Ok(())
    }
}
