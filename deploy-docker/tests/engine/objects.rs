//! Networks and proxies that nothing stands on any more.

use crate::ground::{Ground, free_port, get};
use bollard::query_parameters::ListNetworksOptions;
use deploy_core::{
    engine::{Engine, Finish, Options, Report, Request},
    model::{End, Event, Outcome, StepId},
    observer::Notice,
    strategy::{BlueGreen, Recreate, Rolling, Strategy},
};
use std::sync::Arc;

async fn networks(ground: &Ground) -> Vec<String> {
    let options = ListNetworksOptions { filters: Some(ground.filter()) };
    let found = ground.docker.list_networks(Some(options)).await.unwrap();
    let mut names: Vec<_> = found.into_iter().filter_map(|network| network.name).collect();
    names.sort();
    names.iter().map(|name| name.replace(&ground.name, "P")).collect()
}

fn has_succeeded(report: &Report) -> bool {
    report.finish == Finish::Ended(End::Succeeded)
}

fn in_networks(port: u16, version: &str, networks: &str) -> String {
    format!(
        "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    environment: {{ VERSION: '{version}' }}\n    ports: ['127.0.0.1:{port}:8080']\n    networks: [{networks}]\nnetworks: {{ front: {{}}, back: {{}} }}\n"
    )
}

/// What is kept knows a network by an id that comes never again.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_was_taken_out_goes_and_comes_back_with_its_release() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    assert!(has_succeeded(&ground.deploy(&in_networks(port, "1", "front, back"), &Rolling).await));
    assert_eq!(networks(&ground).await, ["0-P-ingress", "P_back", "P_front"]);
    assert!(has_succeeded(&ground.deploy(&in_networks(port, "2", "front"), &Rolling).await));
    assert_eq!(networks(&ground).await, ["0-P-ingress", "P_front"]);
    let back = ground.deploy(&in_networks(port, "1", "front, back"), &Rolling).await;
    assert!(has_succeeded(&back), "{back:?}");
    assert_eq!(networks(&ground).await, ["0-P-ingress", "P_back", "P_front"]);
    assert_eq!(get(port).await.as_deref(), Some("1"));
    let again = ground.deploy(&in_networks(port, "1", "front, back"), &Rolling).await;
    assert_eq!(again.finish, Finish::Unchanged);
    ground.clear().await;
}

/// The proxy has left the network by then, and meets the old instance there again.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_was_deleted_comes_back_on_the_way_back() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    assert!(has_succeeded(&ground.deploy(&in_networks(port, "1", "back"), &Rolling).await));
    let project = ground.open();
    let prepared = ground.prepare(&project, &in_networks(port, "2", "front")).await;
    let options = Options::default();
    let (person, deleted) = (options.interrupt.clone(), StepId::new(format!("network {}_back/delete", ground.name)));
    let observer = move |notice: &Notice| {
        let Notice::Event { record, .. } = notice else { return };
        if matches!(&record.event, Event::StepEnded { step, outcome: Outcome::Applied } if *step == deleted) {
            person.go_back();
        }
    };
    let (lease, journal) = (project.lease().await.unwrap(), project.journal().await.unwrap());
    let builder = Engine::builder(project.target(), lease, journal).router(project.router());
    let engine = builder.observer(Arc::new(observer)).build();
    let request = Request { services: prepared.services, payloads: prepared.payloads };
    let report = engine.deploy(&request, &Rolling, &options).await.unwrap();
    assert!(matches!(report.finish, Finish::Ended(End::RolledBack { .. })), "{report:?}");
    assert_eq!(get(port).await.as_deref(), Some("1"));
    assert_eq!(networks(&ground).await, ["0-P-ingress", "P_back"]);
    ground.clear().await;
}

/// `more` follows the service's own lines.
fn web(version: &str, more: &str) -> String {
    format!(
        "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    environment: {{ VERSION: '{version}' }}\n{more}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_leaves_its_proxy_has_its_port_itself() {
    let Some(ground) = Ground::new().await else { return };
    for strategy in [&Rolling as &dyn Strategy, &BlueGreen, &Recreate] {
        let port = free_port();
        let routed = web("1", &format!("    ports: ['127.0.0.1:{port}:8080']\n"));
        assert!(has_succeeded(&ground.deploy(&routed, strategy).await));
        assert_eq!(get(port).await.as_deref(), Some("1"));
        // a port of another protocol can't be published by the proxy, so none is
        let direct = web("2", &format!("    ports: ['127.0.0.1:{port}:8080', '127.0.0.1:{port}:8080/udp']\n"));
        let left = ground.deploy(&direct, strategy).await;
        assert!(has_succeeded(&left), "{left:?}");
        assert_eq!(get(port).await.as_deref(), Some("2"));
        let names: Vec<_> = ground.containers().await.into_iter().map(|(name, _)| name).collect();
        assert!(names.iter().all(|name| !name.ends_with("-proxy")), "{names:?}");
        assert_eq!(ground.deploy(&direct, strategy).await.finish, Finish::Unchanged);
        ground.clear().await;
    }
}
