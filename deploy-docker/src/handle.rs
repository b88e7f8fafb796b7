use crate::{agent::InUse, container::Container, proxy_image::ProxyImage, shared::Shared};
use deploy_core::{
    model::{Fence, ServiceName},
    target::TargetError,
};
use deploy_proxy::{
    agent::{AgentError, Refusal as AgentRefusal},
    control::{self, AskError, Refusal},
};
use std::{ops::Deref, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// How long a proxy that was just started may take until it answers.
const PROXY_ANSWERS: Duration = Duration::from_secs(10);

/// A project with its agent, which is started when it is needed first.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    shared: Shared,
    pub(crate) image: ProxyImage,
    agent: Arc<Mutex<InUse>>,
}

impl Deref for Handle {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Handle {
    pub(crate) fn new(shared: Shared, image: ProxyImage) -> Self {
        Self { shared, image, agent: Arc::default() }
    }

    pub(crate) fn in_use(&self) -> &Mutex<InUse> {
        &self.agent
    }

    /// A service's proxy, through the agent.
    pub(crate) async fn proxy(&self, service: &ServiceName) -> Result<control::Client, TargetError> {
        Ok(self.agent().await?.proxy(service.as_str(), PROXY_ANSWERS))
    }

    /// Everything of ours, for whoever is about to change something. The names are read *before* the lease is looked at:
    /// whoever takes over in between renames them, so that a change by these names misses.
    pub(crate) async fn listed(&self, fence: Fence) -> Result<Vec<Container>, TargetError> {
        let all = self.containers().await?;
        self.admit(fence).await?;
        Ok(all)
    }

    /// Refuses whoever doesn't hold the lease any more. A call that is under way already can't be held back: that is
    /// what [`adopt`](deploy_core::target::Target::adopt) is for.
    pub(crate) async fn admit(&self, fence: Fence) -> Result<(), TargetError> {
        self.agent().await?.check(fence).await.map_err(agent_error)
    }
}

/// An agent's refusal as a target's error.
pub(crate) fn agent_error(error: AgentError) -> TargetError {
    match error {
        AgentError::Refused(AgentRefusal::NotHeld { ours, newest, .. }) => TargetError::Fenced { ours, newest },
        AgentError::Refused(AgentRefusal::Ended { ours, .. }) => TargetError::LeaseEnded { ours },
        AgentError::Refused(AgentRefusal::Proxy(refusal)) => proxy_refusal(refusal),
        AgentError::Refused(refusal @ (AgentRefusal::NoProxy { .. } | AgentRefusal::ProxyLost { .. })) => {
            TargetError::unreachable("the proxy", refusal)
        }
        AgentError::Refused(refusal) => TargetError::Rejected { why: refusal.to_string() },
        other => TargetError::unreachable("the agent", other),
    }
}

/// A proxy's refusal as a target's error.
pub(crate) fn proxy_error(error: AskError) -> TargetError {
    match error {
        AskError::Refused(refusal) => proxy_refusal(refusal),
        AskError::Agent(error) => agent_error(error),
        other => TargetError::unreachable("the proxy", other),
    }
}

fn proxy_refusal(refusal: Refusal) -> TargetError {
    match refusal {
        Refusal::StaleFence { highest, found } => TargetError::Fenced { ours: found, newest: highest },
        Refusal::WrongRevision { expected, found } => TargetError::Conflict {
            expected: format!("revision {expected} of the routes"),
            found: format!("revision {found}"),
        },
        refusal => TargetError::Rejected { why: refusal.to_string() },
    }
}
