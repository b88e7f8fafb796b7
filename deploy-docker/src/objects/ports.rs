//! Ports of the host that a proxy is to have beyond those of the proxy before.

use super::proxy::ProxySpec;
use crate::{handle::Handle, image::EXECUTABLE, labels};
use bollard::models::{ContainerCreateBody, HostConfig, PortMap};
use deploy_core::target::{Cx, TargetError};

impl Handle {
    /// Has the Engine publish the ports that come, for a moment, while the proxy before serves: where somebody has one, it
    /// goes on serving.
    pub(super) async fn prove_free(
        &self,
        cx: &Cx,
        before: Option<&ProxySpec>,
        wanted: &ProxySpec,
    ) -> Result<(), TargetError> {
        let ports = added(before, wanted);
        if ports.is_empty() {
            return Ok(());
        }
        let name = format!("{}-{}-ports", self.project, wanted.service);
        let body = ContainerCreateBody {
            image: Some(self.image.name(&self.connection).await?),
            entrypoint: Some(vec![EXECUTABLE.to_owned()]),
            // it ends at once
            cmd: Some(["deploy-proxy", "--help"].map(str::to_owned).into()),
            // swept like an agent that has ended
            labels: Some(labels::ours(&self.project, labels::AGENT)),
            exposed_ports: Some(ports.keys().cloned().collect()),
            host_config: Some(HostConfig {
                network_mode: wanted.ingress.clone(),
                port_bindings: Some(ports),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        self.create_container(cx, &name, body).await?;
        let started = self.start(&name).await;
        self.discard(&name).await?;
        started
    }
}

/// What is to be published and isn't yet.
fn added(before: Option<&ProxySpec>, wanted: &ProxySpec) -> PortMap {
    let published = |spec: &ProxySpec| spec.publish.clone().unwrap_or_default();
    let there: Vec<_> = before.map(published).unwrap_or_default().into_values().flatten().flatten().collect();
    let come = published(wanted).into_iter().filter_map(|(port, bindings)| {
        let bindings: Vec<_> = bindings?.into_iter().filter(|binding| !there.contains(binding)).collect();
        (!bindings.is_empty()).then_some((port, Some(bindings)))
    });
    come.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::PortBinding;

    fn publishing(ports: &[(u16, &str)]) -> ProxySpec {
        let binding = |port: &str| {
            Some(vec![PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some(port.to_owned()) }])
        };
        ProxySpec {
            service: "web".into(),
            ingress: Some("0-shop-ingress".into()),
            networks: Vec::new(),
            listen: Vec::new(),
            publish: Some(ports.iter().map(|(port, host)| (format!("{port}/tcp"), binding(host))).collect()),
            labels: Default::default(),
            environment: Default::default(),
        }
    }

    #[test]
    fn a_port_that_the_proxy_before_has_need_not_be_free() {
        let wanted = publishing(&[(80, "8080"), (443, "8443")]);
        let hosts = |before: Option<&ProxySpec>| {
            let bindings = added(before, &wanted).into_values().flatten().flatten();
            let mut hosts: Vec<_> = bindings.filter_map(|binding| binding.host_port).collect();
            hosts.sort();
            hosts
        };
        assert_eq!(hosts(None), ["8080", "8443"]);
        assert_eq!(hosts(Some(&publishing(&[(80, "8080")]))), ["8443"]);
        assert_eq!(hosts(Some(&publishing(&[(81, "8443"), (80, "8080")]))), [""; 0], "to lead elsewhere");
    }
}
