//! Taking a project away.

use crate::ground::{Ground, free_port, get};
use bollard::{
    models::{ContainerCreateBody, HostConfig},
    query_parameters as query,
};
use deploy_core::{engine::Finish, model::End, strategy::Rolling};
use deploy_docker::DockerProject;

async fn take_down(project: &DockerProject, data: bool) {
    let lease = project.lease().await.unwrap();
    let fence = lease.take("the test").await.unwrap().fence;
    project.down(fence, data).await.unwrap();
    // the agent went with the state: neither comes back to hear this
    assert!(lease.renew(fence).await.is_err() && lease.free(fence).await.is_err());
}

async fn volumes(ground: &Ground) -> Vec<String> {
    let options = query::ListVolumesOptions { filters: Some(ground.filter()) };
    let found = ground.docker.list_volumes(Some(options)).await.unwrap().volumes.unwrap_or_default();
    found.into_iter().map(|volume| volume.name).collect()
}

/// The volumes without a name that the project's containers have.
async fn unnamed_volumes(ground: &Ground) -> Vec<String> {
    let mut names = Vec::new();
    for (container, _) in ground.containers().await {
        let found = ground.docker.inspect_container(&container, None).await.unwrap();
        names.extend(found.mounts.unwrap_or_default().into_iter().filter_map(|mount| mount.name));
    }
    names.retain(|name| name.len() == 64);
    names.sort();
    names.dedup();
    names
}

async fn is_there(ground: &Ground, volume: &str) -> bool {
    ground.docker.inspect_volume(volume).await.is_ok()
}

async fn networks(ground: &Ground) -> usize {
    let options = query::ListNetworksOptions { filters: Some(ground.filter()) };
    ground.docker.list_networks(Some(options)).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_but_data_that_was_to_stay() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let text = |version: u32| {
        format!(
            "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    environment: {{ VERSION: '{version}' }}\n    ports: ['127.0.0.1:{port}:8080']\n    volumes: ['data:/data', '/cache']\nvolumes:\n  data: {{}}\n"
        )
    };
    // the second leaves a kept container
    for version in [1, 2] {
        let report = ground.deploy(&text(version), &Rolling).await;
        assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    }
    let unnamed = unnamed_volumes(&ground).await;
    assert_eq!(unnamed.len(), 1, "the second version has that of the first: {unnamed:?}");
    take_down(&ground.open(), false).await;
    assert_eq!(ground.containers().await, []);
    assert!(is_there(&ground, &unnamed[0]).await, "Compose leaves it, too");
    ground.docker.remove_volume(&unnamed[0], None::<query::RemoveVolumeOptions>).await.unwrap();
    assert_eq!(networks(&ground).await, 0);
    assert_eq!(volumes(&ground).await, [format!("{}_data", ground.name)]);

    // and it can be deployed again, as if it had never been there
    let report = ground.deploy(&text(1), &Rolling).await;
    assert_eq!(report.deployment.map(|id| id.0), Some(1));
    assert_eq!(get(port).await.as_deref(), Some("1"));
    ground.deploy(&text(2), &Rolling).await;
    let unnamed = unnamed_volumes(&ground).await;
    take_down(&ground.open(), true).await;
    assert_eq!((ground.containers().await, volumes(&ground).await), (Vec::new(), Vec::new()));
    assert!(!is_there(&ground, &unnamed[0]).await);

    // a project that isn't there is down already
    take_down(&ground.open(), true).await;
    assert_eq!((ground.containers().await, volumes(&ground).await), (Vec::new(), Vec::new()));
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_the_file_no_longer_has_is_named() {
    let Some(ground) = Ground::new().await else { return };
    let worker = "  worker:\n    image: IMAGE\n    command: [/deploy, serve]\n";
    let web = "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    expose: [8080]\n";
    assert_eq!(ground.deploy(&format!("{web}{worker}"), &Rolling).await.finish, Finish::Ended(End::Succeeded));
    let notes = async |text: &str| ground.prepare(&ground.open(), text).await.notes;
    assert_eq!(notes(&format!("{web}{worker}")).await, [""; 0]);
    let without = notes(web).await.join("\n");
    assert!(
        without.starts_with("worker isn't in the file and goes on running") && without.contains("-worker-"),
        "{without}"
    );
    assert_eq!(notes(&format!("{web}{worker}    profiles: [night]\n")).await, [""; 0], "it is in the file");
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_somebody_else_uses_stays_and_is_named() {
    let Some(ground) = Ground::new().await else { return };
    let text = "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n";
    assert_eq!(ground.deploy(text, &Rolling).await.finish, Finish::Ended(End::Succeeded));
    let (network, stranger) = (format!("{}_default", ground.name), format!("{}-stranger", ground.name));
    let body = ContainerCreateBody {
        image: Some(ground.image.clone()),
        cmd: Some(vec!["/deploy".into(), "serve".into()]),
        host_config: Some(HostConfig { network_mode: Some(network.clone()), ..HostConfig::default() }),
        ..Default::default()
    };
    let options = query::CreateContainerOptions { name: Some(stranger.clone()), ..Default::default() };
    ground.docker.create_container(Some(options), body).await.unwrap();
    ground.docker.start_container(&stranger, None::<query::StartContainerOptions>).await.unwrap();
    let project = ground.open();
    take_down(&project, false).await;
    let told = project.target().warnings().join("\n");
    assert!(told.contains(&format!("the network {network} stays")), "{told}");
    let force = query::RemoveContainerOptions { force: true, ..Default::default() };
    ground.docker.remove_container(&stranger, Some(force)).await.unwrap();
    ground.clear().await;
}
