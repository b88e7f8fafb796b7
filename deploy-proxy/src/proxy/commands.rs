//! What a proxy does when it is asked.

use std::sync::Arc;
use std::time::Duration;

use deploy_core::model::{DeploymentId, Fence};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::backend::DrainEnd;
use super::listener::Listener;
use super::log::Log;
use super::probing::probe;
use super::serving::Serving;
use super::store::Store;
use crate::control::{Answer, Command, Handler, InstanceName, ListenerSpec, PROTOCOL, Refusal, RouteState, Routes};

/// Answers one proxy's questions.
#[derive(Debug)]
pub(crate) struct Commands {
    pub(crate) service: String,
    pub(crate) serving: Arc<Serving>,
    pub(crate) store: Arc<Store>,
    pub(crate) log: Log,
    /// The routes in force; held from the first check of a change to its end.
    pub(crate) state: Mutex<RouteState>,
    pub(crate) listeners: Mutex<Vec<Listener>>,
    /// Set to the grace once the proxy was asked to end.
    pub(crate) stop: watch::Sender<Option<Duration>>,
}

impl Commands {
    /// Refuses a fence lower than the highest seen.
    async fn admit(&self, fence: Fence) -> Result<(), Refusal> {
        admit(&*self.state.lock().await, fence)
    }

    async fn set_routes(
        &self,
        fence: Fence,
        expected: u64,
        deployment: Option<DeploymentId>,
        routes: Routes,
    ) -> Result<Answer, Refusal> {
        let mut state = self.state.lock().await;
        admit(&state, fence)?;
        if state.revision != expected {
            return Err(Refusal::WrongRevision { expected, found: state.revision });
        }
        routes.validate().map_err(Refusal::BadRoutes)?;
        self.change(&mut state, RouteState { revision: expected + 1, fence, deployment, routes }).await
    }

    async fn raise_fence(&self, fence: Fence) -> Result<Answer, Refusal> {
        let mut state = self.state.lock().await;
        admit(&state, fence)?;
        if state.fence == fence {
            return Ok(Answer::Routes(state.clone()));
        }
        let raised = RouteState { fence, ..state.clone() };
        self.change(&mut state, raised).await
    }

    /// Makes a state durable, then puts it in force.
    async fn change(&self, state: &mut RouteState, next: RouteState) -> Result<Answer, Refusal> {
        let (store, stored) = (Arc::clone(&self.store), next.clone());
        let saved = tokio::task::spawn_blocking(move || store.save(&stored)).await;
        let failed = |reason: String| Refusal::Storage { reason };
        saved.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
        self.serving.apply(&next.routes);
        self.log.routes(&self.service, &next);
        *state = next;
        Ok(Answer::Routes(state.clone()))
    }

    async fn drain(&self, fence: Fence, instance: InstanceName, deadline_ms: u64) -> Result<Answer, Refusal> {
        self.admit(fence).await?;
        let deadline = Instant::now() + Duration::from_millis(deadline_ms);
        let leaving = self.serving.named(&instance);
        if leaving.iter().any(|backend| backend.receives()) {
            return Err(Refusal::StillRouted { instance });
        }
        let ends = leaving.iter().map(|backend| backend.drain(deadline));
        let (mut remaining, mut closed) = (0, 0);
        for end in futures_util::future::join_all(ends).await {
            match end {
                DrainEnd::Reopened => return Err(Refusal::StillRouted { instance }),
                DrainEnd::Over { remaining: left, closed: cut } => {
                    remaining += left;
                    closed += cut;
                }
            }
        }
        Ok(Answer::Drained { remaining, closed })
    }

    async fn listen(&self, fence: Fence, spec: ListenerSpec) -> Result<Answer, Refusal> {
        self.admit(fence).await?;
        let mut listeners = self.listeners.lock().await;
        let opened = Listener::open(&spec, &self.serving)
            .await
            .map_err(|error| Refusal::Listener { port: spec.port, reason: error.to_string() })?;
        listeners.push(opened);
        Ok(listening(&listeners))
    }

    async fn unlisten(&self, fence: Fence, port: u16) -> Result<Answer, Refusal> {
        self.admit(fence).await?;
        let mut listeners = self.listeners.lock().await;
        let closing: Vec<_> = listeners.extract_if(.., |listener| listener.spec().port == port).collect();
        if closing.is_empty() {
            return Err(Refusal::Listener { port, reason: "it is not open".to_owned() });
        }
        for listener in closing {
            listener.close().await;
        }
        Ok(listening(&listeners))
    }

    /// Changes run to their end even when the asker goes away.
    async fn change_for(self: &Arc<Self>, command: Command) -> Result<Answer, Refusal> {
        let commands = Arc::clone(self);
        let change = tokio::spawn(async move {
            match command {
                Command::SetRoutes { fence, expected_revision, deployment, routes } => {
                    commands.set_routes(fence, expected_revision, deployment, routes).await
                }
                Command::RaiseFence { fence } => commands.raise_fence(fence).await,
                Command::Listen { fence, listener } => commands.listen(fence, listener).await,
                Command::Unlisten { fence, port } => commands.unlisten(fence, port).await,
                other => Err(not_understood(format!("{other:?} changes nothing"))),
            }
        });
        change.await.unwrap_or_else(|error| Err(Refusal::Storage { reason: error.to_string() }))
    }
}

/// The part of [`Commands`] that the control protocol calls.
#[derive(Clone, Debug)]
pub(crate) struct Asked(pub(crate) Arc<Commands>);

impl Handler for Asked {
    type Ask = Command;
    type Answer = Answer;
    type Refusal = Refusal;

    async fn answer(&self, command: Command) -> Result<Answer, Refusal> {
        let commands = &self.0;
        match command {
            Command::GetRoutes => Ok(Answer::Routes(commands.state.lock().await.clone())),
            Command::Stats => {
                let listeners = specs(&commands.listeners.lock().await);
                Ok(Answer::Stats(commands.serving.stats(listeners)))
            }
            Command::Drain { fence, instance, deadline_ms } => commands.drain(fence, instance, deadline_ms).await,
            Command::Probe { probe: what, timeout_ms } => {
                Ok(Answer::Probed(probe(&what, Duration::from_millis(timeout_ms)).await))
            }
            Command::Shutdown { fence, grace_ms } => {
                commands.admit(fence).await?;
                Ok(Answer::ShuttingDown { grace_ms })
            }
            change => commands.change_for(change).await,
        }
    }

    fn not_understood(&self, reason: String) -> Refusal {
        not_understood(reason)
    }

    fn answered(&self, answer: &Answer) {
        if let Answer::ShuttingDown { grace_ms } = answer {
            self.0.stop.send_replace(Some(Duration::from_millis(*grace_ms)));
        }
    }
}

fn not_understood(reason: String) -> Refusal {
    Refusal::NotUnderstood { protocol: PROTOCOL, reason }
}

fn admit(state: &RouteState, fence: Fence) -> Result<(), Refusal> {
    if fence < state.fence {
        return Err(Refusal::StaleFence { highest: state.fence, found: fence });
    }
    Ok(())
}

fn listening(listeners: &[Listener]) -> Answer {
    Answer::Listening(specs(listeners))
}

pub(crate) fn specs(listeners: &[Listener]) -> Vec<ListenerSpec> {
    listeners.iter().map(|listener| listener.spec().clone()).collect()
}
