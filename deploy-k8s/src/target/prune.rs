use crate::shared::Shared;
use deploy_core::{
    model::ServiceName,
    target::{Cx, TargetError},
};

impl Shared {
    /// Clears the configurations of releases that don't run, but for the newest, and what Secrets held before. Their ReplicaSets are the Deployment's
    /// history, which Kubernetes keeps as short as the user says.
    pub(super) async fn prune(&self, cx: &Cx, service: &ServiceName, keep: usize) -> Result<(), TargetError> {
        let Some(site) = self.site(service).await? else { return Ok(()) };
        self.held.admit(cx.fence)?;
        self.strike_out(cx, &site).await?;
        for release in site.kept().into_iter().skip(keep) {
            self.releases.discard(cx.fence, &release).await?;
        }
        let meant = self.meant.lock().await.clone();
        match meant.into_iter().flatten().any(|entry| entry.is_secret()) {
            true => self.forget_kept(cx).await,
            false => Ok(()),
        }
    }
}
