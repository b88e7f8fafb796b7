use super::{PROXY, spec, spec_label};
use crate::{
    agent::STATE,
    container::Container,
    definition::Joined,
    handle::Handle,
    image::EXECUTABLE,
    labels::{self, compose},
    shared::Shared,
};
use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, NetworkingConfig, PortMap, RestartPolicy,
    RestartPolicyNameEnum,
};
use deploy_core::{
    model::{Object, ObjectRef, ServiceName, TargetId},
    target::{Cx, TargetError},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// What is asked of a service's proxy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProxySpec {
    /// The service that it answers for.
    pub(crate) service: ServiceName,
    /// The network on which its ports are published, joined first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ingress: Option<String>,
    /// The service's networks, where it answers to the service's names.
    pub(crate) networks: Vec<Joined>,
    /// What it listens on: `PORT:BACKEND_PORT:PROTOCOL`.
    pub(crate) listen: Vec<String>,
    /// What is published on the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) publish: Option<PortMap>,
    /// Labels for other proxies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    /// Variables for other proxies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) environment: BTreeMap<String, String>,
}

/// A proxy as an object of a plan.
pub(crate) fn proxy_object(target: &TargetId, proxy: &ProxySpec) -> Object {
    let name = proxy.service.as_str().to_owned();
    Object { object: ObjectRef { target: target.clone(), kind: PROXY.to_owned(), name }, spec: spec(proxy) }
}

/// The end of the name of a proxy that takes another one's place.
const NEXT: &str = "-next";

/// How large a proxy's log gets, and how many files there are: its last line is what counts.
const LOG: [(&str, &str); 2] = [("max-size", "1m"), ("max-file", "2")];

impl Handle {
    /// Makes a service's proxy be there as asked for. One that serves and is to be another makes room for it: what it
    /// publishes can be had only once, so that its ports are closed from the stop of the one to the start of the other.
    pub(super) async fn apply_proxy(&self, cx: &Cx, wanted: &ProxySpec, spec: &Value) -> Result<(), TargetError> {
        let all = self.listed(cx.fence).await?;
        let (up, down): (Vec<_>, Vec<_>) = proxies_of(&all, &wanted.service).partition(|one| one.is_up());
        for one in down {
            // stopped by somebody, or left by an attempt before
            self.discard(&one.name).await?;
        }
        let name = self.proxy_name(&wanted.service);
        match up.iter().find(|one| spec_label(&one.labels).as_ref() == Some(spec)) {
            Some(there) if there.name.ends_with(NEXT) => self.rename(&there.name, &name).await,
            Some(_) => Ok(()),
            None => match up.first() {
                Some(there) => self.exchange_proxy(cx, there, wanted, spec).await,
                None => {
                    self.make_proxy(cx, &name, wanted, spec).await?;
                    let started = self.start(&name).await;
                    if matches!(started, Err(TargetError::Rejected { .. })) {
                        let _ = self.discard(&name).await;
                    }
                    started
                }
            },
        }
    }

    /// Puts another proxy in the place of one that serves. Everything that takes time is done before the stop.
    async fn exchange_proxy(
        &self,
        cx: &Cx,
        there: &Container,
        wanted: &ProxySpec,
        spec: &Value,
    ) -> Result<(), TargetError> {
        let before: Option<ProxySpec> = spec_label(&there.labels).and_then(|spec| serde_json::from_value(spec).ok());
        self.prove_free(cx, before.as_ref(), wanted).await?;
        self.leave(&there.id).await?;
        let name = self.proxy_name(&wanted.service);
        let next = format!("{name}{NEXT}");
        self.make_proxy(cx, &next, wanted, spec).await?;
        for Joined { network, endpoint } in left_networks(before, wanted) {
            self.connect(&next, &network, endpoint).await?;
        }
        self.stop(cx, &there.name).await?;
        if let Err(error) = self.start(&next).await {
            self.start(&there.name).await?;
            let _ = self.discard(&next).await;
            return Err(error);
        }
        self.discard(&there.name).await?;
        self.rename(&next, &name).await
    }

    /// Makes a proxy with all its networks, and doesn't start it.
    async fn make_proxy(&self, cx: &Cx, name: &str, wanted: &ProxySpec, spec: &Value) -> Result<(), TargetError> {
        let body = self.proxy_body(cx, wanted, spec, self.image.name(&self.connection).await?);
        self.create_container(cx, name, body).await?;
        let first = usize::from(wanted.ingress.is_none());
        for Joined { network, endpoint } in wanted.networks.iter().skip(first) {
            let joined = self.connect(name, network, endpoint.clone()).await;
            if matches!(joined, Err(TargetError::Rejected { .. })) {
                let _ = self.discard(name).await;
            }
            joined?;
        }
        Ok(())
    }

    fn proxy_name(&self, service: &ServiceName) -> String {
        format!("{}-{service}-proxy", self.project)
    }

    fn proxy_body(&self, cx: &Cx, wanted: &ProxySpec, spec: &Value, image: String) -> ContainerCreateBody {
        let service = wanted.service.as_str();
        let mut labels: HashMap<_, _> = wanted.labels.clone().into_iter().collect();
        labels.extend(self.labels_of(cx, labels::PROXY));
        let more = [
            (labels::SERVICE, service),
            (labels::SPEC, &spec.to_string()),
            (compose::PROJECT, &self.project),
            (compose::SERVICE, service),
            // every other form is recreated or removed by the next `docker compose up`
            (compose::ONEOFF, "True"),
        ];
        labels.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let mut command: Vec<_> =
            ["deploy-proxy", "proxy", "--service", service, "--state", STATE].map(str::to_owned).into();
        command.extend(wanted.listen.iter().flat_map(|listen| ["--listen".to_owned(), listen.clone()]));
        let (network, endpoint) = match (&wanted.ingress, wanted.networks.first()) {
            (Some(ingress), _) => {
                (Some(ingress.clone()), EndpointSettings { gw_priority: Some(1), ..Default::default() })
            }
            (None, Some(first)) => (Some(first.network.clone()), first.endpoint.clone()),
            (None, None) => (None, EndpointSettings::default()),
        };
        // other proxies look here for the port
        let ports = wanted.listen.iter().filter_map(|listen| listen.split(':').next());
        let exposed = ports.map(|port| format!("{port}/tcp")).collect();
        ContainerCreateBody {
            image: Some(image),
            entrypoint: Some(vec![EXECUTABLE.to_owned()]),
            cmd: Some(command),
            env: Some(wanted.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            labels: Some(labels),
            exposed_ports: Some(exposed),
            stop_signal: Some("SIGTERM".to_owned()),
            networking_config: network.as_ref().map(|network| NetworkingConfig {
                endpoints_config: Some(HashMap::from([(network.clone(), endpoint)])),
            }),
            host_config: Some(HostConfig {
                network_mode: network,
                port_bindings: wanted.publish.clone(),
                restart_policy: Some(RestartPolicy {
                    name: Some(RestartPolicyNameEnum::ALWAYS),
                    maximum_retry_count: None,
                }),
                mounts: Some(vec![self.state_mount()]),
                readonly_rootfs: Some(true),
                cap_drop: Some(vec!["ALL".to_owned()]),
                cap_add: Some(vec!["NET_BIND_SERVICE".to_owned()]),
                security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
                log_config: Some(HostConfigLogConfig {
                    typ: Some("json-file".to_owned()),
                    config: Some(LOG.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
                }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }

    pub(super) async fn delete_proxy(&self, cx: &Cx, service: &str) -> Result<(), TargetError> {
        let all = self.listed(cx.fence).await?;
        for proxy in proxies_of(&all, &ServiceName::from(service)) {
            self.leave(&proxy.id).await?;
            if proxy.is_up() {
                self.stop(cx, &proxy.name).await?;
            }
            self.discard(&proxy.name).await?;
        }
        Ok(())
    }

    /// Takes proxies out of a network that is about to be deleted, and in which none of them is asked to be.
    pub(super) async fn leave_network(&self, all: &[Container], network: &str) -> Result<(), TargetError> {
        let is_in = |one: &&Container| one.networks.iter().any(|name| name == network);
        for proxy in all.iter().filter(|one| one.kind() == labels::PROXY && one.is_up()).filter(is_in) {
            let spec = spec_label(&proxy.labels).and_then(|spec| serde_json::from_value(spec).ok());
            if spec.is_some_and(|spec| !joins(&spec, network)) {
                self.disconnect(&proxy.name, network).await?;
            }
        }
        Ok(())
    }

    /// Lets a service's proxy into a network of instances that come back, where it has left all of theirs.
    pub(crate) async fn meet_proxy(
        &self,
        all: &[Container],
        service: &ServiceName,
        networks: &[Joined],
    ) -> Result<(), TargetError> {
        let Some(first) = networks.first() else { return Ok(()) };
        let is_met = |proxy: &Container| networks.iter().any(|joined| proxy.networks.contains(&joined.network));
        for proxy in proxies_of(all, service).filter(|one| one.is_up() && !is_met(one)) {
            self.connect(&proxy.name, &first.network, EndpointSettings::default()).await?;
        }
        Ok(())
    }

    /// Takes a service's proxy out of networks that it was in for the sake of releases that are gone by now.
    pub(crate) async fn settle_proxy(&self, all: &[Container], service: &ServiceName) -> Result<(), TargetError> {
        for proxy in proxies_of(all, service).filter(|one| one.is_up()) {
            let Some(spec) = spec_label(&proxy.labels).and_then(|spec| serde_json::from_value(spec).ok()) else {
                continue;
            };
            for network in proxy.networks.iter().filter(|network| !joins(&spec, network)) {
                self.disconnect(&proxy.name, network).await?;
            }
        }
        Ok(())
    }
}

impl Shared {
    /// The proxies that run, as they were asked for.
    pub(crate) fn proxies(&self, containers: &[Container]) -> Vec<Object> {
        let proxies = containers.iter().filter(|one| one.kind() == labels::PROXY && one.is_up());
        let objects =
            proxies.filter_map(|one| Some(self.object(PROXY, one.service()?.as_str(), spec_label(&one.labels)?)));
        objects.collect()
    }
}

fn proxies_of<'a>(all: &'a [Container], service: &ServiceName) -> impl Iterator<Item = &'a Container> {
    all.iter().filter(move |one| one.kind() == labels::PROXY && one.service().as_ref() == Some(service))
}

fn joins(spec: &ProxySpec, network: &str) -> bool {
    spec.ingress.as_deref() == Some(network) || spec.networks.iter().any(|joined| joined.network == network)
}

/// The networks of a proxy which the one after it wouldn't join: instances that serve now are in them.
fn left_networks(before: Option<ProxySpec>, wanted: &ProxySpec) -> Vec<Joined> {
    let Some(before) = before else { return Vec::new() };
    before.networks.into_iter().filter(|joined| !joins(wanted, &joined.network)).collect()
}
