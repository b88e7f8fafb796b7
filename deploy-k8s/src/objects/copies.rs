use super::kind::Resolved;
use crate::{api::answered, kinds::ReplicaSet, shared::Shared, site::Set};
use deploy_core::{
    model::ReleaseId,
    target::{Cx, TargetError},
};
use futures_util::future::try_join_all;
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    core::DynamicObject,
};
use serde_json::{Value, json};

impl Shared {
    /// Makes the copies of what a release is configured by, before any pod of it is asked for.
    pub(crate) async fn make_copies(&self, cx: &Cx, copies: &[Value]) -> Result<(), TargetError> {
        try_join_all(copies.iter().map(async |copy| {
            self.held.admit(cx.fence)?;
            let (to, name) = self.copy(copy).await?;
            let new: DynamicObject = serde_json::from_value(copy.clone()).map_err(|_| TargetError::Rejected {
                why: format!("expected a configuration named {name}, but found something else"),
            })?;
            match answered(format!("create {name}"), to.of(&self.api).create(&PostParams::default(), &new)).await {
                // its name tells what it holds
                Err(error) if error.code() == Some(409) => Ok(()),
                answer => Ok(answer.map(|_| ())?),
            }
        }))
        .await
        .map(|_| ())
    }

    /// Gives the copies to the ReplicaSet that needs them: they go when it goes.
    pub(crate) async fn own_copies(&self, cx: &Cx, set: &Set, copies: &[Value]) -> Result<(), TargetError> {
        let ReplicaSet { metadata, .. } = &*set.set;
        let owner =
            json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set.set.name_any(), "uid": metadata.uid });
        let body = json!({ "metadata": { "ownerReferences": [owner] } });
        try_join_all(copies.iter().map(async |copy| {
            self.held.admit(cx.fence)?;
            let (to, name) = self.copy(copy).await?;
            // owners are merged by their uid
            let (params, patch) = (PatchParams::default(), Patch::Strategic(&body));
            answered(format!("give {name} an owner"), to.of(&self.api).patch(&name, &params, &patch)).await?;
            Ok(())
        }))
        .await
        .map(|_| ())
    }

    /// Takes away the copies of a release that never got a ReplicaSet.
    pub(crate) async fn discard_copies(&self, cx: &Cx, release: &ReleaseId) -> Result<(), TargetError> {
        // where its configuration is gone, nobody knows of copies any more
        let Ok(content) = self.content(release).await else { return Ok(()) };
        for copy in &content.copies {
            self.held.admit(cx.fence)?;
            let (to, name) = self.copy(copy).await?;
            let there = answered(format!("read {name}"), to.of(&self.api).get_metadata_opt(&name)).await?;
            if there.is_some_and(|there| there.metadata.owner_references.is_none_or(|owners| owners.is_empty())) {
                answered(format!("delete {name}"), to.of(&self.api).delete(&name, &DeleteParams::default()))
                    .await
                    .map(|_| ())?;
            }
        }
        Ok(())
    }

    async fn copy(&self, copy: &Value) -> Result<(Resolved, String), TargetError> {
        let kind = copy["kind"].as_str().unwrap_or_default();
        let name = copy["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        Ok((self.kinds.resolve(&self.api, "v1", kind).await?, name))
    }
}
