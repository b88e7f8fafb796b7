//! Deployments on the real Engine.

use crate::ground::{Ground, free_port, get};
use deploy_core::{
    engine::Finish,
    model::End,
    strategy::{BlueGreen, Rolling},
};

fn web(port: u16, version: &str, replicas: u32) -> String {
    format!(
        "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    environment: {{ VERSION: '{version}' }}\n    ports: ['127.0.0.1:{port}:8080']\n    deploy: {{ replicas: {replicas} }}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn four_replicas_are_routed_and_replaced() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let first = ground.deploy(&web(port, "1", 4), &Rolling).await;
    assert_eq!(first.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("1"));
    let second = ground.deploy(&web(port, "2", 4), &BlueGreen).await;
    assert_eq!(second.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("2"));
    let again = ground.deploy(&web(port, "2", 4), &Rolling).await;
    assert_eq!(again.finish, Finish::Unchanged);
    let states: Vec<_> = ground.containers().await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states.iter().filter(|state| *state == "running").count(), 5, "{states:?}");
    assert_eq!(states.iter().filter(|state| *state == "exited").count(), 4, "{states:?}");
    ground.clear().await;
}
