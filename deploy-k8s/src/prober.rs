use crate::{api::Api, site::is_leaving, trouble, view::View};
use async_trait::async_trait;
use deploy_core::{
    model::{Instance, Millis},
    prober::{Answer, Probe, ProbeError, Prober},
};
use http::Request;
use http_body_util::{BodyExt, Limited};
use k8s_openapi::api::core::v1::Pod;
use kube::client::Body;
use std::sync::Arc;
use tokio::time::timeout;

/// How much of an answer is read: people see its beginning.
const MOST: usize = 64 * 1024;
const SHOWN: usize = 200;

/// Asks pods from wherever we are: for their readiness by what the cluster shows, otherwise through the API server, which
/// reaches each pod as the nodes do.
pub(crate) struct PodProber {
    pub(crate) api: Api,
    pub(crate) view: Arc<View>,
}

#[async_trait]
impl Prober for PodProber {
    async fn probe(&self, instance: &Instance, probe: &Probe, limit: Millis) -> Result<Answer, ProbeError> {
        match probe {
            Probe::Own => Ok(self.readiness(&instance.name)),
            Probe::Http { port, path, .. } => self.get(&instance.name, *port, path, limit).await,
            Probe::Tcp { port } => match self.get(&instance.name, *port, "/", limit).await? {
                // whatever was said, and in whichever language: somebody listens
                Answer::Http { .. } => Ok(Answer::Success),
                Answer::Failure { why } if why.contains("malformed HTTP") || why.contains("EOF") => Ok(Answer::Success),
                other => Ok(other),
            },
            Probe::Command { .. } => Err(ProbeError {
                why: "commands aren't run inside pods; give the Deployment a readiness probe, or check a path".into(),
            }),
        }
    }

    fn waits_for(&self, instance: &Instance) -> Option<String> {
        match self.view.pod(&instance.name) {
            Some(pod) => trouble::waits_for(&pod),
            None => Some(trouble::of_set(&*self.view.set(&instance.name)?)?.0.to_owned()),
        }
    }
}

impl PodProber {
    fn readiness(&self, name: &str) -> Answer {
        let Some(pod) = self.view.pod(name).filter(|pod| !is_leaving(pod)) else {
            return Answer::Failure { why: "it is gone".into() };
        };
        match not_ready(&pod) {
            None => Answer::Success,
            Some(why) => Answer::Failure { why },
        }
    }

    async fn get(&self, pod: &str, port: u16, path: &str, limit: Millis) -> Result<Answer, ProbeError> {
        let uri = format!("/api/v1/namespaces/{}/pods/{pod}:{port}/proxy{path}", self.api.namespace());
        let request = Request::get(uri).body(Body::empty()).map_err(|error| ProbeError { why: error.to_string() })?;
        let asked = async {
            let answer =
                self.api.client().send(request).await.map_err(|error| ProbeError { why: error.to_string() })?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), MOST).collect().await;
            let body = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default();
            Ok(match unreached(status, &body) {
                Some(why) => Answer::Failure { why },
                None => Answer::Http { status, body: body.trim().chars().take(SHOWN).collect() },
            })
        };
        match timeout(limit.duration(), asked).await {
            Ok(answer) => answer,
            Err(_) => Ok(Answer::Failure { why: format!("no answer from port {port} within {limit}") }),
        }
    }
}

/// What the API server says in a pod's place when it can't reach it.
fn unreached(status: u16, body: &str) -> Option<String> {
    let text = match serde_json::from_str::<kube::core::Status>(body) {
        Ok(said) if said.code == status && !said.message.is_empty() => said.message,
        _ => body.trim().to_owned(),
    };
    (matches!(status, 502..=504) && text.contains("error trying to reach service")).then_some(text)
}

/// Why a pod whose containers run isn't ready.
pub(crate) fn not_ready(pod: &Pod) -> Option<String> {
    let mut conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    match conditions.find(|one| one.type_ == "Ready") {
        Some(ready) if ready.status == "True" => None,
        ready => Some(ready.and_then(|one| one.message.clone()).unwrap_or_else(|| "it isn't ready".into())),
    }
}
