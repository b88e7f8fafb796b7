use super::start::Started;
use crate::handle::{Handle, agent_error};
use bollard::models::EndpointSettings;
use deploy_core::{model::Fence, target::TargetError};
use deploy_proxy::agent::Client;

/// The agent in use, and the lease that was taken through it or one before it.
#[derive(Debug, Default)]
pub(crate) struct InUse {
    agent: Option<Started>,
    fence: Option<Fence>,
    /// Whether none is started any more: the project is being taken away, with its state.
    is_last: bool,
}

impl InUse {
    /// The agent, unless it is gone or in that container.
    fn agent(&self, except: Option<&str>) -> Option<Client> {
        let agent = self.agent.as_ref()?;
        let is_usable = !agent.client.is_over() && except.is_none_or(|except| agent.container != except);
        is_usable.then(|| agent.client.clone())
    }
}

impl Handle {
    /// The agent, started if none is there yet. One that is gone is replaced by another, which goes on with our lease: a
    /// proxy that ends takes an agent in it along.
    pub(crate) async fn agent(&self) -> Result<Client, TargetError> {
        self.agent_but(None).await
    }

    /// Sees to it that our agent isn't in that container, which is about to end.
    pub(crate) async fn leave(&self, container: &str) -> Result<(), TargetError> {
        self.agent_but(Some(container.to_owned())).await.map(drop)
    }

    /// The agent, where it is in a container of its own that now is in that network too.
    pub(crate) async fn agent_in(&self, network: &str) -> Result<Option<Client>, TargetError> {
        let client = self.agent().await?;
        let container = {
            let used = self.in_use().lock().await;
            used.agent.as_ref().filter(|agent| agent.joins_networks).map(|agent| agent.container.clone())
        };
        let Some(container) = container else { return Ok(None) };
        self.connect(&container, network, EndpointSettings::default()).await?;
        Ok(Some(client))
    }

    async fn agent_but(&self, except: Option<String>) -> Result<Client, TargetError> {
        if let Some(client) = self.in_use().lock().await.agent(except.as_deref()) {
            return Ok(client);
        }
        // a task of its own: whoever asks may not be polled while somebody else waits for the lock
        let handle = self.clone();
        let started = tokio::spawn(async move { handle.start_another(except.as_deref()).await });
        started.await.unwrap_or_else(|error| Err(TargetError::unreachable("the agent", error)))
    }

    async fn start_another(&self, except: Option<&str>) -> Result<Client, TargetError> {
        let mut used = self.in_use().lock().await;
        if let Some(client) = used.agent(except) {
            return Ok(client);
        }
        if used.is_last {
            return Err(TargetError::unreachable("the agent", "the project was taken down"));
        }
        let agent = self.start_agent(&self.image, except).await?;
        if let Some(fence) = used.fence {
            let retaken = agent.client.retake(fence).await.map_err(agent_error);
            let is_over = matches!(retaken, Err(TargetError::Fenced { .. } | TargetError::LeaseEnded { .. }));
            used.fence.take_if(|_| is_over);
            retaken?;
        }
        let client = agent.client.clone();
        // the one before leaves only now: there is no moment in which nobody holds our lease
        used.agent = Some(agent);
        Ok(client)
    }

    /// From now on no agent takes another one's place.
    pub(crate) async fn keep_last_agent(&self) {
        self.in_use().lock().await.is_last = true;
    }

    /// The agent, if one is there.
    pub(super) async fn present_agent(&self) -> Option<Client> {
        self.in_use().lock().await.agent(None)
    }

    /// A lease was taken through our agent.
    pub(super) async fn note_lease(&self, fence: Fence) {
        self.in_use().lock().await.fence = Some(fence);
    }

    /// Our lease is over.
    pub(super) async fn forget_lease(&self, fence: Fence) {
        self.in_use().lock().await.fence.take_if(|held| *held == fence);
    }
}
