use crate::{manifest::order::sort_to_delete, namespace::Namespace, objects::Entry, shared::Shared};
use deploy_core::{
    journal::Journal,
    model::{DeploymentId, Fence, ServiceName, StepId},
    target::{Cx, TargetError},
};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;

/// How long all of it may take.
const DOWN_BY: Duration = Duration::from_secs(300);

impl Namespace {
    /// Whether anything was ever deployed here, as far as one can tell. Makes nothing.
    ///
    /// # Errors
    /// Where the cluster doesn't answer.
    pub async fn is_there(&self) -> Result<bool, TargetError> {
        let unread = |error| TargetError::unreachable("the journal", error);
        let was_deployed = !self.shared.journal.deployments().await.map_err(unread)?.is_empty();
        Ok(was_deployed || !self.shared.releases.all().await?.is_empty() || self.has_objects(true).await?)
    }

    /// Whether there is anything for [`Namespace::down`] to take away. Makes nothing.
    ///
    /// # Errors
    /// Where the cluster doesn't answer.
    pub async fn is_up(&self, volumes: bool) -> Result<bool, TargetError> {
        Ok(!self.shared.releases.all().await?.is_empty() || self.has_objects(volumes).await?)
    }

    async fn has_objects(&self, volumes: bool) -> Result<bool, TargetError> {
        Ok(self.shared.inventory.read().await?.iter().any(|entry| goes(entry, volumes)))
    }

    /// The PersistentVolumeClaims that deployments brought, by name.
    ///
    /// # Errors
    /// Where the cluster doesn't answer.
    pub async fn data_volumes(&self) -> Result<Vec<String>, TargetError> {
        let entries = self.shared.inventory.read().await?;
        Ok(entries.into_iter().filter(holds_data).map(|entry| entry.name).collect())
    }

    /// Takes away what deployments brought: Deployments, the objects beside them, and the configurations. Journal and key
    /// stay, and so do the namespace, kinds of objects, and PersistentVolumeClaims unless `volumes` says otherwise. Yields
    /// the names of these claims, gone or not. Pods end in their own time.
    ///
    /// # Guarantees
    /// Calling it again goes on where it was interrupted. Under a stale fence nothing is touched.
    ///
    /// # Errors
    /// What couldn't be taken away.
    pub async fn down(&self, fence: Fence, volumes: bool) -> Result<Vec<String>, TargetError> {
        let deadline = Instant::now() + DOWN_BY;
        let cx = Cx { deployment: DeploymentId(0), step: StepId::new("down"), fence, deadline };
        let data = self.data_volumes().await?;
        self.shared.down(&cx, volumes).await?;
        Ok(data)
    }
}

impl Shared {
    async fn down(&self, cx: &Cx, volumes: bool) -> Result<(), TargetError> {
        self.held.admit(cx.fence)?;
        let known = self.releases.known().await?;
        let services: BTreeSet<ServiceName> = known.values().map(|known| known.release.service.clone()).collect();
        for service in &services {
            if let Some(site) = self.site(service).await? {
                self.delete_deployment(cx, &site).await?;
            }
        }
        let mut entries = Vec::from_iter(self.inventory.read().await?);
        sort_to_delete(&mut entries, |entry| (entry.group(), &entry.kind));
        for entry in entries.iter().filter(|entry| goes(entry, volumes)) {
            self.delete(cx, &entry.object(&self.target)).await?;
        }
        self.forget_kept(cx).await?;
        // last: they tell which Deployments are ours
        for release in known.keys() {
            self.releases.discard(cx.fence, release).await?;
        }
        Ok(())
    }
}

/// Whether an object goes with everything else. Others live in a namespace, and a kind takes all its objects with it.
fn goes(entry: &Entry, volumes: bool) -> bool {
    match (entry.group(), entry.kind.as_str()) {
        ("", "Namespace") | ("apiextensions.k8s.io", "CustomResourceDefinition") => false,
        _ => volumes || !holds_data(entry),
    }
}

fn holds_data(entry: &Entry) -> bool {
    matches!((entry.group(), entry.kind.as_str()), ("", "PersistentVolumeClaim" | "PersistentVolume"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_goes_only_when_it_is_said_and_what_others_live_in_never() {
        let entry = |api_version: &str, kind: &str| Entry {
            api_version: api_version.into(),
            kind: kind.into(),
            name: "shop".into(),
        };
        let went = |entry: Entry| [false, true].map(|volumes| goes(&entry, volumes));
        assert_eq!(went(entry("v1", "Service")), [true, true]);
        assert_eq!(went(entry("v1", "PersistentVolumeClaim")), [false, true]);
        assert_eq!(went(entry("v1", "Namespace")), [false, false]);
        assert_eq!(went(entry("apiextensions.k8s.io/v1", "CustomResourceDefinition")), [false, false]);
    }
}
