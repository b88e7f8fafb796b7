//! Starting containers, and saying why one can't be.

use crate::{
    definition::Joined,
    error::{message, status, target_error},
    shared::Shared,
};
use bollard::query_parameters::ListContainersOptions;
use deploy_core::target::TargetError;

impl Shared {
    /// Starts a container; one that runs already stays as it is.
    pub(crate) async fn start(&self, name: &str) -> Result<(), TargetError> {
        match self.docker().start_container(name, None).await {
            Ok(()) => Ok(()),
            Err(error) if status(&error).is_some() => {
                let said = message(&error);
                match taken_port(&said) {
                    Some(port) => Err(TargetError::Rejected { why: self.port_is_taken(port).await }),
                    None => Err(target_error(&format!("start {name}"), error)),
                }
            }
            Err(error) => Err(target_error(&format!("start {name}"), error)),
        }
    }

    /// Starts a container that may have been stopped for long. It knows its networks by their ids: where one was deleted and
    /// made again meanwhile, it joins them anew.
    pub(crate) async fn start_in(&self, name: &str, networks: &[Joined]) -> Result<(), TargetError> {
        match self.docker().start_container(name, None).await {
            Err(error) if status(&error) == Some(404) && is_network_gone(&message(&error)) => {
                for Joined { network, endpoint } in networks {
                    self.disconnect(name, network).await?;
                    self.connect(name, network, endpoint.clone()).await?;
                }
                self.start(name).await
            }
            Ok(()) => Ok(()),
            Err(_) => self.start(name).await,
        }
    }

    async fn port_is_taken(&self, port: u16) -> String {
        let options = ListContainersOptions { all: false, ..Default::default() };
        let all = self.docker().list_containers(Some(options)).await.unwrap_or_default();
        let publishes =
            |ports: &Vec<bollard::models::PortSummary>| ports.iter().any(|one| one.public_port == Some(port));
        let holder = all.into_iter().find(|one| one.ports.as_ref().is_some_and(publishes));
        let name = holder.and_then(|one| one.names).and_then(|names| names.into_iter().next());
        match name {
            Some(name) => {
                let name = name.trim_start_matches('/');
                format!(
                    "expected port {port} of the host to be free, but the container {name} has it: stop that one, or publish another port"
                )
            }
            None => format!(
                "expected port {port} of the host to be free, but a process there has it (`ss -ltnp 'sport = :{port}'` shows which): stop it, or publish another port"
            ),
        }
    }
}

/// Whether the Engine says that a network isn't there.
fn is_network_gone(said: &str) -> bool {
    said.contains("network") && said.contains("not found")
}

/// The port of which the Engine says that somebody else has it.
fn taken_port(said: &str) -> Option<u16> {
    let taken = ["port is already allocated", "address already in use", "ports are not available"];
    if !taken.iter().any(|taken| said.contains(taken)) {
        return None;
    }
    // `Bind for 0.0.0.0:8080 failed`, `listen tcp4 0.0.0.0:8080: bind: address already in use`
    said.split_whitespace().rev().find_map(|word| {
        let word = word.trim_end_matches([':', ',', '.']);
        let (address, port) = word.rsplit_once(':')?;
        let is_address = address.is_empty() || address.contains('.') || address.ends_with([']', ':']);
        port.parse().ok().filter(|_| is_address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_is_gone_is_told_from_a_container_that_is() {
        assert!(is_network_gone("network e7be3d0f4cd9ccc7835c74c99a10e190 not found"));
        assert!(is_network_gone("failed to set up container networking: network e7be3d0f4cd9 not found"));
        assert!(!is_network_gone("No such container: shop-web-1"));
    }

    #[test]
    fn the_taken_port_is_found_in_the_engines_words() {
        let bridge = "driver failed programming external connectivity on endpoint shop-web (1f2e): Bind for 0.0.0.0:8080 failed: port is already allocated";
        assert_eq!(taken_port(bridge), Some(8080));
        let host = "driver failed programming external connectivity on endpoint x (ab): Error starting userland proxy: listen tcp4 0.0.0.0:443: bind: address already in use";
        assert_eq!(taken_port(host), Some(443));
        assert_eq!(taken_port("Bind for :::9000 failed: port is already allocated"), Some(9000));
        assert_eq!(taken_port("exec: \"/nope:80\": no such file"), None);
    }
}
