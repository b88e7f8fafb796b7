//! Taking a project away.

use crate::ground::{Ground, free_port, get};
use bollard::query_parameters as query;
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
            "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    environment: {{ VERSION: '{version}' }}\n    ports: ['127.0.0.1:{port}:8080']\n    volumes: ['data:/data']\nvolumes:\n  data: {{}}\n"
        )
    };
    // the second leaves a kept container
    for version in [1, 2] {
        let report = ground.deploy(&text(version), &Rolling).await;
        assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    }
    take_down(&ground.open(), false).await;
    assert_eq!(ground.containers().await, []);
    assert_eq!(networks(&ground).await, 0);
    assert_eq!(volumes(&ground).await, [format!("{}_data", ground.name)]);

    // and it can be deployed again, as if it had never been there
    let report = ground.deploy(&text(1), &Rolling).await;
    assert_eq!(report.deployment.map(|id| id.0), Some(1));
    assert_eq!(get(port).await.as_deref(), Some("1"));
    take_down(&ground.open(), true).await;
    assert_eq!((ground.containers().await, volumes(&ground).await), (Vec::new(), Vec::new()));

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
