//! Networks and proxies that nothing stands on any more.

use crate::ground::{Ground, free_port, get};
use bollard::{models::NetworkCreateRequest, query_parameters::ListNetworksOptions};
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

/// A network and a volume, with what the file says of each.
fn on_both(port: u16, version: &str, network: &str, volume: &str) -> String {
    format!(
        "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    environment: {{ VERSION: '{version}' }}\n    ports: ['127.0.0.1:{port}:8080']\n    networks: [front]\n    volumes: ['data:/data']\nnetworks: {{ front: {network} }}\nvolumes: {{ data: {volume} }}\n"
    )
}

/// As Compose v2.26.1 leaves them, and before anything is done.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_described_otherwise_stays_as_it_was_made_and_is_named() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    assert!(has_succeeded(&ground.deploy(&on_both(port, "1", "{}", "{}"), &Rolling).await));
    let otherwise = |version| on_both(port, version, "{ attachable: true }", "{ labels: { team: a } }");
    let project = ground.open();
    let notes = ground.prepare(&project, &otherwise("2")).await.notes.join("\n").replace(&ground.name, "P");
    assert!(notes.contains("compose.yaml:9:13: networks.front: the network P_front stays"), "{notes}");
    assert!(notes.contains("compose.yaml:10:12: volumes.data: the volume P_data stays"), "{notes}");
    assert_eq!(ground.deploy(&otherwise("1"), &Rolling).await.finish, Finish::Unchanged);
    let changed = ground.deploy(&otherwise("2"), &Rolling).await;
    assert!(has_succeeded(&changed), "{changed:?}");
    assert_eq!(get(port).await.as_deref(), Some("2"));
    let front = ground.docker.inspect_network(&format!("{}_front", ground.name), None).await.unwrap();
    assert_eq!(front.attachable, Some(false));
    // and goes all the same when nothing stands on it
    let gone = web("3", &format!("    ports: ['127.0.0.1:{port}:8080']\n"));
    assert!(has_succeeded(&ground.deploy(&gone, &Rolling).await));
    assert_eq!(networks(&ground).await, ["0-P-ingress", "P_default"]);
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_of_somebody_elses_is_found_before_anything_is_done() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let text = on_both(port, "1", "{}", "{}");
    let name = format!("{}_front", ground.name);
    let make = |labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(label, value)| (format!("com.docker.compose.{label}"), (*value).to_owned()));
        NetworkCreateRequest { name: name.clone(), labels: Some(labels.collect()), ..Default::default() }
    };
    for labels in [&[][..], &[("project", "other"), ("network", "back")]] {
        ground.docker.create_network(make(labels)).await.unwrap();
        let project = ground.open();
        let refused = project.prepare(&ground.load(&text), &|_| {}).await;
        ground.docker.remove_network(&name).await.unwrap();
        let error = refused.err().expect("a network that isn't the project's");
        assert!(error.is_bad_input() && error.to_string().contains("compose.yaml:9:13: networks.front: "), "{error}");
        assert!(!project.is_there().await.unwrap());
    }
    // one that another project calls the same is shared, as by Compose
    ground.docker.create_network(make(&[("project", "other"), ("network", "front")])).await.unwrap();
    let notes = ground.prepare(&ground.open(), &text).await.notes.join("\n");
    assert!(notes.contains("was made for the project other"), "{notes}");
    ground.docker.remove_network(&name).await.unwrap();
    // ours is named by nobody's file
    let ingress = format!("0-{}-ingress", ground.name);
    ground.docker.create_network(NetworkCreateRequest { name: ingress.clone(), ..Default::default() }).await.unwrap();
    let refused = ground.open().prepare(&ground.load(&text), &|_| {}).await;
    ground.docker.remove_network(&ingress).await.unwrap();
    let error = refused.err().expect("a network that isn't the project's");
    assert!(error.to_string().contains(&format!("expected no network {ingress}")), "{error}");
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
