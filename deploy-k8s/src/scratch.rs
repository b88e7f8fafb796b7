use crate::{
    api::{Api, Kind, answered},
    connect::Cluster,
    names, trouble,
    view::Watched,
};
use deploy_core::target::TargetError;
use futures_util::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Namespace, Pod, Service, ServiceAccount};
use kube::{
    api::{DeleteParams, ListParams, LogParams, PostParams},
    runtime::watcher::Config,
};
use serde_json::{Value, json};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};

/// How long a namespace may take until pods can be made in it.
const READY_BY: Duration = Duration::from_secs(30);
/// How long what runs in it may take to end.
const ENDED_BY: Duration = Duration::from_secs(40);

/// A namespace that is there for a while, and single pods in it: for demonstrations and tests.
///
/// What is deployed in it is deployed as in any other, by [`Cluster::open`].
pub struct Scratch {
    api: Api,
}

impl Cluster {
    /// A namespace by the name that it is to have, which nobody else may choose. Sends nothing yet.
    pub fn scratch(&self, namespace: &str) -> Scratch {
        Scratch::of(self.api(namespace))
    }
}

impl Scratch {
    pub(crate) fn of(api: Api) -> Self {
        Self { api }
    }

    /// Makes the namespace, and waits until pods can be made in it. Where the answer was lost, it may be there when this fails.
    ///
    /// # Errors
    /// Where the cluster refuses it or doesn't answer.
    pub async fn create(&self) -> Result<(), TargetError> {
        let name = self.api.namespace();
        let namespace: Namespace = object(json!({
            "metadata": { "name": name, "labels": names::labels("scratch") },
        }))?;
        let params = PostParams { field_manager: Some(names::MANAGER.into()), ..PostParams::default() };
        let all = kube::Api::<Namespace>::all(self.api.client().clone());
        answered(format!("create the namespace {name}"), all.create(&params, &namespace)).await?;
        // without it no pod is made
        let account = |account: Option<&ServiceAccount>| account.is_some();
        let error = match self.wait("default", READY_BY, account).await {
            Ok((true, _)) => return Ok(()),
            Ok((false, _)) => TargetError::unreachable("the controller of ServiceAccounts", late(READY_BY)),
            Err(error) => error,
        };
        // it holds nothing yet
        let _ = answered(format!("delete the namespace {name}"), all.delete(name, &DeleteParams::background())).await;
        Err(error)
    }

    /// Takes the namespace away with everything in it, and waits until no container runs there any more. Its objects may be
    /// listed for a while after that.
    ///
    /// # Errors
    /// Where the cluster refuses it or doesn't answer. None where it isn't there.
    pub async fn remove(&self) -> Result<(), TargetError> {
        let name = self.api.namespace();
        let all = kube::Api::<Namespace>::all(self.api.client().clone());
        let params = DeleteParams::background();
        match answered(format!("delete the namespace {name}"), all.delete(name, &params)).await {
            Err(error) if error.code() == Some(404) => return Ok(()),
            answer => answer.map(|_| ())?,
        }
        // nothing can be made in it from then on, and everything goes; pods would only be told some seconds later
        let pods = self.api.of::<Pod>();
        let _ = answered(String::new(), pods.delete_collection(&params, &ListParams::default())).await;
        let (changes, mut changed) = watch::channel(());
        let pods = Watched::<Pod>::begin(&self.api, Config::default(), changes);
        pods.up().await?;
        let ended = async { while pods.all().iter().any(|pod| is_running(pod)) && changed.changed().await.is_ok() {} };
        match timeout(ENDED_BY, ended).await {
            Ok(()) => Ok(()),
            Err(_) => Err(TargetError::unreachable(format!("the pods of {name}"), late(ENDED_BY))),
        }
    }

    /// Makes a pod, and waits until it runs or has ended.
    ///
    /// # Errors
    /// Where the cluster refuses it, it certainly won't run, or the time is over; with the cluster's words.
    pub async fn start(&self, pod: &Value, by: Duration) -> Result<(), TargetError> {
        let pod: Pod = object(pod.clone())?;
        let name = pod.metadata.name.clone().unwrap_or_default();
        self.api.create(&pod).await?;
        let is_decided = |pod: Option<&Pod>| {
            pod.is_some_and(|pod| is_running(pod) || has_ended(pod) || trouble::of_pod(pod).is_some())
        };
        let why = match self.wait(&name, by, is_decided).await? {
            (true, pod) => pod.and_then(|pod| trouble::of_pod(&pod)),
            (false, pod) => {
                let waits_for = pod.and_then(|pod| trouble::waits_for(&pod));
                Some(format!("{}: {}", late(by), waits_for.as_deref().unwrap_or("the cluster doesn't tell why")))
            }
        };
        why.map_or(Ok(()), |why| Err(TargetError::Rejected { why: format!("pod {name}: {why}") }))
    }

    /// Calls `line` for each line that a pod has logged and logs, until its container has ended, however long that takes.
    ///
    /// # Errors
    /// Where the log can't be read to its end.
    pub async fn follow(&self, pod: &str, mut line: impl FnMut(String)) -> Result<(), TargetError> {
        let params = LogParams { follow: true, ..LogParams::default() };
        let log = answered(format!("read the log of {pod}"), self.api.of::<Pod>().log_stream(pod, &params)).await?;
        let log = pin!(log);
        let mut lines = log.lines();
        let cut = |error| TargetError::unreachable(format!("the log of {pod}"), error);
        while let Some(said) = lines.try_next().await.map_err(cut)? {
            line(said);
        }
        Ok(())
    }

    /// Tells a pod to end, and doesn't wait for it.
    ///
    /// # Errors
    /// Where the cluster refuses it or doesn't answer. None where it isn't there.
    pub async fn end(&self, pod: &str) -> Result<(), TargetError> {
        Ok(self.api.delete::<Pod>(pod, None).await?)
    }

    /// The port by which a Service is asked at every node.
    ///
    /// # Errors
    /// Where it isn't there or has none.
    pub async fn node_port(&self, service: &str) -> Result<u16, TargetError> {
        let there = self.api.get::<Service>(service).await?;
        let ports = there.and_then(|service| service.spec?.ports).unwrap_or_default();
        let port = ports.first().and_then(|port| u16::try_from(port.node_port?).ok());
        port.ok_or_else(|| TargetError::Conflict {
            expected: format!("Service {service} with a port on every node"),
            found: "none".into(),
        })
    }

    /// Waits until an object is so, for that long. Whether it is, and the object.
    async fn wait<K: Kind + 'static>(
        &self,
        name: &str,
        by: Duration,
        is: impl Fn(Option<&K>) -> bool,
    ) -> Result<(bool, Option<Arc<K>>), TargetError> {
        let (changes, mut changed) = watch::channel(());
        let only = Config::default().fields(&format!("metadata.name={name}"));
        let watched = Watched::<K>::begin(&self.api, only, changes);
        watched.up().await?;
        let so = async { while !is(watched.get(name).as_deref()) && changed.changed().await.is_ok() {} };
        Ok((timeout(by, so).await.is_ok(), watched.get(name)))
    }
}

fn object<K: serde::de::DeserializeOwned>(value: Value) -> Result<K, TargetError> {
    serde_json::from_value(value)
        .map_err(|error| TargetError::Rejected { why: format!("expected an object, but: {error}") })
}

fn late(by: Duration) -> String {
    format!("nothing came of it within {} s", by.as_secs())
}

fn is_running(pod: &Pod) -> bool {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
    statuses.filter_map(|one| one.state.as_ref()).any(|state| state.running.is_some())
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}
