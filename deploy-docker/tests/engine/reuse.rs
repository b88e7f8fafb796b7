//! Addresses that go from an instance to a stranger.

use crate::{
    ground::{Ground, free_port, web},
    load::Load,
};
use bollard::{
    models::{ContainerCreateBody, HostConfig},
    query_parameters as query,
};
use deploy_core::strategy::Rolling;
use std::{collections::HashMap, time::Duration};

impl Ground {
    fn network(&self) -> String {
        format!("{}_default", self.name)
    }

    async fn address(&self, container: &str) -> String {
        let found = self.docker.inspect_container(container, None).await.unwrap();
        let networks = found.network_settings.unwrap().networks.unwrap();
        networks[&self.network()].ip_address.clone().unwrap()
    }

    /// Starts something that answers on the service's port too, and isn't of the service. Its name.
    async fn stranger(&self, number: usize) -> String {
        let body = ContainerCreateBody {
            image: Some(self.image.clone()),
            cmd: Some(vec!["/deploy".into(), "serve".into()]),
            env: Some(vec!["VERSION=stranger".into()]),
            labels: Some(HashMap::from([("deploy.project".to_owned(), self.name.clone())])),
            host_config: Some(HostConfig { network_mode: Some(self.network()), ..HostConfig::default() }),
            ..Default::default()
        };
        let name = format!("{}-stranger-{number}", self.name);
        let options = query::CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
        self.docker.create_container(Some(options), body).await.unwrap();
        self.docker.start_container(&name, None::<query::StartContainerOptions>).await.unwrap();
        name
    }

    async fn start_again(&self, container: &str) {
        self.docker.start_container(container, None::<query::StartContainerOptions>).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_stranger_at_an_instances_old_address_is_ever_asked_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    ground.succeeds(&web(port, "v1", ""), &Rolling).await;
    let instances: Vec<_> = ground.containers().await.into_iter().map(|(name, _)| name).collect();
    let one = instances.iter().find(|name| !name.contains("-proxy")).unwrap();
    let load = Load::start(port);
    let mut taken = false;
    for number in 0..16 {
        let before = ground.address(one).await;
        let at_once = query::StopContainerOptions { t: Some(0), ..Default::default() };
        ground.docker.stop_container(one, Some(at_once)).await.unwrap();
        let stranger = ground.stranger(number).await;
        taken |= ground.address(&stranger).await == before;
        // long enough for both instances to be asked many times
        tokio::time::sleep(Duration::from_millis(400)).await;
        ground.start_again(one).await;
        if taken {
            break;
        }
    }
    assert!(taken, "the Engine gives no address again: the test shows nothing");
    tokio::time::sleep(Duration::from_millis(400)).await;
    let seen = load.lost_none().await;
    assert!(seen.versions.keys().eq(["v1"]), "{seen:?}");
    ground.clear().await;
}
