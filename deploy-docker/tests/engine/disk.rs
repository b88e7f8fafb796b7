//! A full disk under lease, journal, routes and payloads.

use crate::{
    ground::{Ground, assert_converged, free_port, web},
    load::Load,
};
use bollard::{
    models::{ContainerCreateBody, HostConfig, VolumeCreateRequest},
    query_parameters as query,
};
use deploy_core::{engine::Finish, model::End, strategy::BlueGreen};
use futures_util::TryStreamExt;
use std::collections::HashMap;

impl Ground {
    /// Makes the project's state volume, before anybody else does, so small.
    async fn small_state(&self, size: &str) {
        let options = [("type", "tmpfs"), ("device", "tmpfs"), ("o", &format!("size={size}"))];
        let labels = [("deploy.project", self.name.as_str()), ("deploy.kind", "state")];
        let pairs = |pairs: &[(&str, &str)]| -> HashMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let request = VolumeCreateRequest {
            name: Some(format!("{}_deploy-state", self.name)),
            driver_opts: Some(pairs(&options)),
            labels: Some(pairs(&labels)),
            ..Default::default()
        };
        self.docker.create_volume(request).await.unwrap();
    }

    /// Runs the fixture to its end in a container that has the state volume.
    async fn in_state(&self, words: &[&str]) {
        let body = ContainerCreateBody {
            image: Some(self.image.clone()),
            cmd: Some([&["/deploy"], words].concat().into_iter().map(str::to_owned).collect()),
            labels: Some(HashMap::from([("deploy.project".to_owned(), self.name.clone())])),
            host_config: Some(HostConfig {
                binds: Some(vec![format!("{}_deploy-state:/state", self.name)]),
                network_mode: Some("none".to_owned()),
                ..HostConfig::default()
            }),
            ..Default::default()
        };
        let name = format!("{}-{}", self.name, words[0]);
        let options = query::CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
        self.docker.create_container(Some(options), body).await.unwrap();
        self.docker.start_container(&name, None::<query::StartContainerOptions>).await.unwrap();
        let ended =
            self.docker.wait_container(&name, None::<query::WaitContainerOptions>).try_collect::<Vec<_>>().await;
        assert_eq!(ended.unwrap()[0].status_code, 0);
        self.docker.remove_container(&name, None::<query::RemoveContainerOptions>).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_a_deployment_before_its_next_effect_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    ground.small_state("1m").await;
    ground.succeeds(&web(port, "v1", ""), &BlueGreen).await;
    let load = Load::start(port);

    // full before it begins: nothing is changed
    ground.in_state(&["fill", "/state/ballast"]).await;
    let before = ground.containers().await;
    let text = web(port, "v2", "START_MS: '2000'");
    let said = format!("{:?}", ground.begin(&text, &BlueGreen).end().await);
    assert!(said.starts_with("Err") && said.contains("No space left on device"), "{said}");
    assert_eq!(ground.containers().await, before);
    ground.in_state(&["remove", "/state/ballast"]).await;

    // full while the new instances are waited for: they get no requests
    let mut deployer = ground.begin(&text, &BlueGreen);
    deployer.checked().await;
    ground.in_state(&["fill", "/state/ballast"]).await;
    let said = format!("{:?}", deployer.end().await);
    assert!(said.contains("No space left on device"), "{said}");
    assert!(load.seen().versions.keys().eq(["v1"]), "{:?}", load.seen());
    ground.in_state(&["remove", "/state/ballast"]).await;

    // it goes back first, where the journal had room for no more than the failure
    let again = ground.begin(&text, &BlueGreen).end().await.unwrap();
    if let Finish::Ended(End::RolledBack { why }) = again.finish {
        assert!(why.contains("No space left on device"), "{why}");
        assert_converged(&ground, port, "v1", "after the way back").await;
        ground.succeeds(&text, &BlueGreen).await;
    }
    assert_converged(&ground, port, "v2", "once there is room again").await;
    load.lost_none().await;
    ground.clear().await;
}
