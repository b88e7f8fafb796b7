//! Versions that are no good: the old one goes on serving, the message names the cause, and nothing is left.

use crate::{
    ground::{Ground, free_port, get},
    registry::Registry,
};
use bollard::query_parameters as query;
use deploy_core::{
    engine::{Finish, Options, Request},
    model::End,
    strategy::{BlueGreen, Recreate, Rolling, Strategy},
};
use futures_util::TryStreamExt;

/// A service with what is added to it, as lines of the file.
fn web(port: u16, version: &str, more: &str) -> String {
    format!(
        "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    ports: ['127.0.0.1:{port}:8080']\n    environment: {{ VERSION: '{version}', {more} }}\n"
    )
}

/// Deploys 1, then something broken; yields why it was taken back.
async fn taken_back(ground: &Ground, port: u16, broken: &str) -> String {
    taken_back_by(&BlueGreen, ground, port, broken).await
}

async fn taken_back_by(strategy: &dyn Strategy, ground: &Ground, port: u16, broken: &str) -> String {
    let report = ground.deploy(&web(port, "1", ""), &Rolling).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    let report = ground.deploy(broken, strategy).await;
    assert_eq!(get(port).await.as_deref(), Some("1"));
    let Finish::Ended(End::RolledBack { why }) = report.finish else { panic!("{report:?}") };
    let left: Vec<_> = ground.containers().await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(left.len(), 2, "one instance and its proxy, but found {left:?}");
    ground.clear().await;
    why
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_exits_is_given_up_at_once() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let why = taken_back(&ground, port, &web(port, "2", "START_MS: '60000', EXIT_MS: '1'")).await;
    assert!(why.contains("exited with status 3"), "{why}");
}

/// The old instance was stopped and kept by then: nothing stands for it once it runs again.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_first_comes_back_and_is_kept_no_longer() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let broken = web(port, "2", "START_MS: '60000', EXIT_MS: '1'");
    let why = taken_back_by(&Recreate, &ground, port, &broken).await;
    assert!(why.contains("exited with status 3"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_exits_again_and_again_is_given_up_after_a_few_times() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let broken = web(port, "2", "START_MS: '60000', EXIT_MS: '1'") + "    restart: always\n";
    let why = taken_back(&ground, port, &broken).await;
    assert!(why.contains("exited with status 3 each time"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_started_is_given_up_at_once() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let broken = web(port, "2", "").replace("/deploy, serve", "/no-such-program");
    let why = taken_back(&ground, port, &broken).await;
    assert!(why.contains("/no-such-program") && why.contains("no such file"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named_with_its_holder() {
    let Some(ground) = Ground::new().await else { return };
    let Some(other) = Ground::new().await else { return };
    let port = free_port();
    let holder = other.deploy(&web(port, "1", ""), &Rolling).await;
    assert_eq!(holder.finish, Finish::Ended(End::Succeeded));
    let report = ground.deploy(&web(port, "2", ""), &Rolling).await;
    let Finish::Ended(End::RolledBack { why }) = report.finish else { panic!("{report:?}") };
    let expected = format!("port {port} of the host to be free, but the container {}-web-proxy has it", other.name);
    assert!(why.contains(&expected), "{why}");
    assert_eq!(ground.containers().await, []);
    assert_eq!(get(port).await.as_deref(), Some("1"));
    ground.clear().await;
    other.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_not_there_is_named_before_anything_changes() {
    let Some(ground) = Ground::new().await else { return };
    let project = ground.open();
    let text = "services:\n  web:\n    image: localhost:1/no-such-image:9\n    ports: [80]\n";
    let error = project.prepare(&ground.load(text), &|_| {}).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().starts_with("expected image localhost:1/no-such-image:9, but"), "{error}");
    let never = text.replace("ports", "pull_policy: never\n    ports");
    let error = project.prepare(&ground.load(&never), &|_| {}).await.map(|_| ()).unwrap_err();
    insta::assert_snapshot!(error, @"expected image localhost:1/no-such-image:9 on the Engine's host, because `pull_policy` is `never`, but found none: load or build it there");
    drop(project);
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_its_registry_refuses_is_named_before_anything_changes() {
    let Some(ground) = Ground::new().await else { return };
    let registry = Registry::start("ann", "secret").await;
    let project = ground.open();
    let image = registry.image("shop/web");
    let text = format!("services:\n  web:\n    image: {image}\n    ports: [80]\n");
    let error = project.prepare(&ground.load(&text), &|_| {}).await.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(&format!("expected image {image}, but")) && error.contains("docker login"), "{error}");
    assert_eq!(ground.containers().await, []);
    drop(project);
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_version_is_kept_for_inspection_with_its_log() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    assert_eq!(ground.deploy(&web(port, "1", ""), &Rolling).await.finish, Finish::Ended(End::Succeeded));
    let project = ground.open();
    let mut prepared = ground.prepare(&project, &web(port, "2", "START_MS: '60000', EXIT_MS: '100'")).await;
    prepared.services[0].keep_failed = true;
    let request = Request { services: prepared.services, payloads: prepared.payloads };
    let report = ground.engine(&project).await.deploy(&request, &Rolling, &Options::default()).await.unwrap();
    assert!(matches!(report.finish, Finish::Ended(End::RolledBack { .. })), "{report:?}");
    drop(project);
    let kept: Vec<_> = ground.containers().await.into_iter().filter(|(name, _)| name.ends_with("-kept")).collect();
    let [(name, state)] = &kept[..] else { panic!("{kept:?}") };
    let options = query::LogsOptions { stdout: true, ..Default::default() };
    let log: Vec<_> = ground.docker.logs(name, Some(options)).try_collect().await.unwrap();
    let log: String = log.iter().map(ToString::to_string).collect();
    assert_eq!((state.as_str(), log.contains("giving up")), ("exited", true), "{log}");
    assert_eq!(get(port).await.as_deref(), Some("1"));

    // a later version takes it away with the other kept ones
    assert_eq!(ground.deploy(&web(port, "3", ""), &Rolling).await.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("3"));
    ground.clear().await;
}
