//! Proxies that must become others, and agents that end before their deployer.

use crate::ground::{Ground, free_port, get};
use bollard::query_parameters as query;
use deploy_core::{
    engine::Finish,
    model::End,
    strategy::{BlueGreen, Rolling},
};
use std::time::Duration;

fn web(ports: &[u16], version: &str, more: &str) -> String {
    let ports: Vec<_> = ports.iter().map(|port| format!("'127.0.0.1:{port}:8080'")).collect();
    format!(
        "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    ports: [{}]\n    environment: {{ VERSION: '{version}', {more} }}\n",
        ports.join(", ")
    )
}

/// What each port answers.
async fn answers<const N: usize>(ports: [u16; N]) -> [Option<String>; N] {
    let mut answers = [const { None }; N];
    for (answer, port) in answers.iter_mut().zip(ports) {
        *answer = get(port).await;
    }
    answers
}

fn some<const N: usize>(versions: [&str; N]) -> [Option<String>; N] {
    versions.map(|version| Some(version.to_owned()).filter(|version| !version.is_empty()))
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_added_and_given_back() {
    let Some(ground) = Ground::new().await else { return };
    let [a, b, c] = [(); 3].map(|()| free_port());
    let succeeded = Finish::Ended(End::Succeeded);
    assert_eq!(ground.deploy(&web(&[a], "1", ""), &Rolling).await.finish, succeeded);
    assert_eq!(ground.deploy(&web(&[a, b], "2", ""), &Rolling).await.finish, succeeded);
    assert_eq!(answers([a, b]).await, some(["2", "2"]));

    let broken = ground.deploy(&web(&[a, c], "3", "START_MS: '60000', EXIT_MS: '1'"), &BlueGreen).await;
    assert!(matches!(broken.finish, Finish::Ended(End::RolledBack { .. })), "{broken:?}");
    assert_eq!(answers([a, b, c]).await, some(["2", "2", ""]));

    assert_eq!(ground.deploy(&web(&[b], "2", ""), &Rolling).await.finish, succeeded, "the ports alone");
    assert_eq!(answers([a, b]).await, some(["", "2"]));
    let proxies: Vec<_> = ground.containers().await.into_iter().filter(|(name, _)| name.contains("proxy")).collect();
    assert_eq!(proxies, [(format!("{}-web-proxy", ground.name), "running".to_owned())]);
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_somebody_has_leaves_the_proxy_before_in_place() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    assert_eq!(ground.deploy(&web(&[port], "1", ""), &Rolling).await.finish, Finish::Ended(End::Succeeded));
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().port();
    let proxy = format!("{}-web-proxy", ground.name);
    let before = ground.docker.inspect_container(&proxy, None).await.unwrap();
    let report = ground.deploy(&web(&[port, taken], "2", ""), &Rolling).await;
    let after = ground.docker.inspect_container(&proxy, None).await.unwrap();
    assert_eq!((after.id, after.state), (before.id, before.state), "it never stopped serving");
    let Finish::Ended(End::RolledBack { why }) = report.finish else { panic!("{report:?}") };
    assert!(why.contains(&format!("port {taken} of the host")), "{why}");
    assert_eq!(get(port).await.as_deref(), Some("1"));
    assert_eq!(ground.containers().await.len(), 2, "{:?}", ground.containers().await);
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_moves_to_other_networks() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let on = |network: &str, version: &str| {
        let text = web(&[port], version, "");
        format!("{text}    networks: [{network}]\nnetworks: {{ front: , back: }}\n")
    };
    assert_eq!(ground.deploy(&on("front", "1"), &Rolling).await.finish, Finish::Ended(End::Succeeded));
    assert_eq!(ground.deploy(&on("back", "2"), &Rolling).await.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("2"));
    let proxy = ground.docker.inspect_container(&format!("{}-web-proxy", ground.name), None).await.unwrap();
    let mut networks: Vec<_> = proxy.network_settings.unwrap().networks.unwrap().into_keys().collect();
    networks.sort();
    assert_eq!(networks, [format!("0-{}-ingress", ground.name), format!("{}_back", ground.name)]);
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_goes_on_when_the_proxy_with_its_agent_is_restarted() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    assert_eq!(ground.deploy(&web(&[port], "1", ""), &Rolling).await.finish, Finish::Ended(End::Succeeded));
    let slow = web(&[port], "2", "START_MS: '3000'");
    let (report, ()) = tokio::join!(ground.deploy(&slow, &Rolling), async {
        // while the new instance is waited for
        while ground.containers().await.iter().filter(|(_, state)| state == "running").count() < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let proxy = format!("{}-web-proxy", ground.name);
        let at_once = query::RestartContainerOptions { t: Some(0), ..Default::default() };
        ground.docker.restart_container(&proxy, Some(at_once)).await.unwrap();
    });
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("2"));
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_comes_behind_a_proxy_and_leaves_it_again() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let direct = |version: &str| web(&[], version, "");
    let succeeded = Finish::Ended(End::Succeeded);
    let proxies = async || {
        let all = ground.containers().await;
        all.into_iter().filter(|(name, _)| name.contains("-proxy")).count()
    };
    assert_eq!(ground.deploy(&direct("1"), &Rolling).await.finish, succeeded);
    assert_eq!(proxies().await, 0);

    let broken = ground.deploy(&web(&[port], "2", "START_MS: '60000', EXIT_MS: '1'"), &Rolling).await;
    assert!(matches!(broken.finish, Finish::Ended(End::RolledBack { .. })), "{broken:?}");
    assert_eq!((get(port).await, proxies().await), (None, 0));
    assert_eq!(ground.deploy(&web(&[port], "3", ""), &BlueGreen).await.finish, succeeded);
    assert_eq!((get(port).await.as_deref(), proxies().await), (Some("3"), 1));

    let broken = ground.deploy(&web(&[], "4", "EXIT_MS: '1'"), &Rolling).await;
    assert!(matches!(broken.finish, Finish::Ended(End::RolledBack { .. })), "{broken:?}");
    assert_eq!((get(port).await.as_deref(), proxies().await), (Some("3"), 1));
    assert_eq!(ground.deploy(&direct("5"), &Rolling).await.finish, succeeded);
    assert_eq!((get(port).await, proxies().await), (None, 0));
    let running: Vec<_> = ground.containers().await.into_iter().filter(|(_, state)| state == "running").collect();
    assert_eq!(running.len(), 1, "{running:?}");
    ground.clear().await;
}
