use super::journal;
use crate::{Place, Teardown};
use async_trait::async_trait;
use deploy_core::{model::Fence, target::TargetError};
use deploy_local::Local;
use std::{sync::Arc, time::Duration};

/// How long child processes may take to end, all together.
const DOWN_BY: Duration = Duration::from_secs(60);

/// Services as child processes.
pub fn local(project: &str, local: Arc<Local>) -> Place {
    Place {
        project: project.into(),
        target: local.target(),
        router: local.router(),
        lease: local.lease(),
        journal: journal(local.journal()),
        teardown: Arc::new(LocalTeardown(local)),
    }
}

/// Owns what must live as long as the place does.
struct LocalTeardown(Arc<Local>);

#[async_trait]
impl Teardown for LocalTeardown {
    async fn down(&self, fence: Fence, _volumes: bool) -> Result<Vec<String>, TargetError> {
        self.0.down(fence, DOWN_BY).await.map(|()| Vec::new())
    }
}
