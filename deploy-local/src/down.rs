use std::sync::Arc;

use deploy_core::model::ServiceName;
use deploy_core::target::{Cx, TargetError};

use crate::error::{agent, refused};
use crate::proxies::Leave;
use crate::shared::Shared;
use crate::stop::Then;

impl Shared {
    /// Ends everything, clients' way in first. What stays: the journal, the key and the lease.
    pub(crate) async fn down(self: &Arc<Self>, cx: &Cx) -> Result<(), TargetError> {
        self.admit(cx).await?;
        let proxied: Vec<ServiceName> = self.proxied().map_err(refused)?;
        for service in &proxied {
            self.delete_proxy(cx, service, Leave::Nothing).await?;
        }
        self.stop_all(cx, &self.records().await?, Then::Forget).await?;
        for release in self.agent.stored().await.map_err(agent)? {
            self.agent.discard(cx.fence, &release).await.map_err(agent)?;
        }
        Ok(())
    }
}
