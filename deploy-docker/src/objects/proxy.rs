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

/// How large a proxy's log gets, and how many files there are: its last line is what counts.
const LOG: [(&str, &str); 2] = [("max-size", "1m"), ("max-file", "2")];

impl Handle {
    pub(super) async fn apply_proxy(&self, cx: &Cx, wanted: &ProxySpec, spec: &Value) -> Result<(), TargetError> {
        let all = self.listed(cx.fence).await?;
        match proxy_of(&all, &wanted.service) {
            Some(there) if there.is_up() && spec_label(&there.labels).as_ref() == Some(spec) => return Ok(()),
            // its ports can be had only once, and it holds the agent: taking it away would be an outage
            Some(there) if there.is_up() => {
                let why = format!(
                    "the proxy of {} would have other ports, networks or labels, and can't be changed while it serves; run `deploy down`, then `deploy up`",
                    wanted.service
                );
                return Err(TargetError::Rejected { why });
            }
            Some(there) => self.take_proxy_away(cx, there).await?,
            None => {}
        }
        let name = format!("{}-{}-proxy", self.project, wanted.service);
        let body = self.proxy_body(cx, wanted, spec, self.image.name(&self.connection).await?);
        let made = async {
            self.create_container(cx, &name, body).await?;
            let first = usize::from(wanted.ingress.is_none());
            for Joined { network, endpoint } in wanted.networks.iter().skip(first) {
                self.connect(&name, network, endpoint.clone()).await?;
            }
            self.start(&name).await
        };
        let made = made.await;
        if matches!(made, Err(TargetError::Rejected { .. })) {
            let _ = self.discard(&name).await;
        }
        made
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
        match proxy_of(&all, &ServiceName::from(service)) {
            Some(there) => self.take_proxy_away(cx, there).await,
            None => Ok(()),
        }
    }

    async fn take_proxy_away(&self, cx: &Cx, proxy: &Container) -> Result<(), TargetError> {
        if proxy.is_up() {
            self.stop(cx, &proxy.name).await?;
        }
        self.discard(&proxy.name).await
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

fn proxy_of<'a>(all: &'a [Container], service: &ServiceName) -> Option<&'a Container> {
    all.iter().find(|one| one.kind() == labels::PROXY && one.service().as_ref() == Some(service))
}
