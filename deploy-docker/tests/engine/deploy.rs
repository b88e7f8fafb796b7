//! Deployments on the real Engine.

use crate::ground::{Ground, free_port, get};
use deploy_core::{
    engine::Finish,
    model::End,
    strategy::{BlueGreen, Rolling},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
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
    assert_eq!(states.iter().filter(|state| *state == "created").count(), 4, "{states:?}");
    ground.clear().await;
}

/// Its one container stops before the next one starts: the proxy holds what comes meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_published_service_with_data_of_its_own_loses_no_request() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let text = |version: &str| {
        format!(
            "services:\n  app:\n    image: IMAGE\n    command: [/deploy, serve]\n    environment: {{ VERSION: '{version}', START_MS: '1000' }}\n    ports: ['127.0.0.1:{port}:8080']\n    volumes: ['data:/data']\nvolumes:\n  data: {{}}\n"
        )
    };
    assert_eq!(ground.deploy(&text("1"), &Rolling).await.finish, Finish::Ended(End::Succeeded));
    let over = Arc::new(AtomicBool::new(false));
    let clients = (0..8).map(|_| {
        let over = Arc::clone(&over);
        tokio::spawn(async move {
            let mut answers = Vec::new();
            while !over.load(Ordering::Relaxed) {
                answers.push(get(port).await);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            answers
        })
    });
    let clients: Vec<_> = clients.collect();
    let report = ground.deploy(&text("2"), &Rolling).await;
    over.store(true, Ordering::Relaxed);
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    for client in clients {
        let answers = client.await.unwrap();
        assert_eq!(answers.iter().filter(|answer| answer.is_none()).count(), 0, "of {}", answers.len());
    }
    assert_eq!(get(port).await.as_deref(), Some("2"));
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_proxies_read_stands_at_ours() {
    let Some(ground) = Ground::new().await else { return };
    let text = "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    expose: ['8080']\n    environment: { VIRTUAL_HOST: web.example, COLOUR: red }\n    labels: { traefik.enable: 'true', team: a }\n";
    let report = ground.deploy(text, &Rolling).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    let mut found = Vec::new();
    for (name, _) in ground.containers().await {
        let config = ground.docker.inspect_container(&name, None).await.unwrap().config.unwrap();
        let labels = config.labels.unwrap_or_default();
        let said = |label: &str| labels.get(label).map(String::as_str);
        let env = config.env.unwrap_or_default();
        let has = |variable: &str| env.iter().any(|one| one.starts_with(variable));
        let is_proxy = name.ends_with("-proxy");
        found.push(is_proxy);
        assert_eq!(said("traefik.enable"), is_proxy.then_some("true"), "{name}");
        assert_eq!(said("team"), (!is_proxy).then_some("a"), "{name}");
        assert_eq!((has("VIRTUAL_HOST="), has("COLOUR=")), (is_proxy, !is_proxy), "{name}");
    }
    found.sort_unstable();
    assert_eq!(found, [false, true]);
    ground.clear().await;
}
