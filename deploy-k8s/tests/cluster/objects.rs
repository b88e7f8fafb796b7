use crate::{ground::Ground, site::Site, web::Web};
use deploy_core::{
    engine::{Finish, Request},
    model::End,
    strategy::{BlueGreen, Rolling},
};
use std::collections::BTreeMap;

const PASSWORD: &str = "hunter2-of-the-test";

/// A Deployment with a Service, a ConfigMap and a Secret that it refers to, and one that nothing refers to.
fn manifests(ground: &Ground, value: &str, more: bool) -> String {
    let web = Web { replicas: 1, ..Web::default() };
    let refers = "\n        envFrom: [{ configMapRef: { name: app } }, { secretRef: { name: db } }]\n        env:";
    let mut text = web.manifests(ground).replace("\n        env:", refers);
    text += &format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: app }}\ndata: {{ VALUE: '{value}' }}\n");
    text += &format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: db }}\nstringData: {{ PASSWORD: {PASSWORD}-{value} }}\n"
    );
    if more {
        text += "---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: more }\ndata: { a: b }\n";
    }
    text
}

async fn refers_to(site: &Site) -> String {
    let path = "jsonpath={.spec.template.spec.containers[0].envFrom[0].configMapRef.name}";
    site.ground.kubectl(&["get", "deployment", "web", "-o", path]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_is_part_of_a_release() {
    let Some(ground) = Ground::new().await else { return };
    let mut site = Site::new(ground).await;
    site.settle = std::time::Duration::ZERO;
    let done = Finish::Ended(End::Succeeded);

    let (report, first) = site.deploy_text(&manifests(&site.ground, "one", true), &Rolling).await;
    assert_eq!(report.finish, done);
    let one = refers_to(&site).await;
    assert_ne!(one, "app");
    let copy = site.ground.get("configmap", &one).await;
    assert_eq!(copy["data"]["VALUE"], "one");
    assert_eq!(copy["metadata"]["ownerReferences"][0]["kind"], "ReplicaSet", "{copy}");
    let written = site.ground.kubectl(&["get", "configmaps,leases,deployments,replicasets,events", "-o", "json"]).await;
    assert!(!written.contains(PASSWORD), "a secret lies open");

    let second = manifests(&site.ground, "two", false);
    assert_eq!(site.deploy_text(&second, &BlueGreen).await.0.finish, done);
    let two = refers_to(&site).await;
    assert_eq!(site.ground.get("configmap", &two).await["data"]["VALUE"], "two");
    let kept = site.ground.kubectl(&["get", "secrets", "-l", "deploy-rs.github.io/kind=sealed", "-o", "name"]).await;
    assert_eq!(kept, "", "what the Secret held before is forgotten");
    assert!(site.ground.try_kubectl(&["get", "configmap", "more"]).await.is_err(), "what left the input is gone");
    assert_eq!(site.deploy_text(&second, &BlueGreen).await.0.finish, Finish::Unchanged);

    let back = Request { services: first.services, payloads: BTreeMap::new() };
    assert_eq!(Site::run(&site.open().await, &back, &Rolling).await.finish, done);
    assert_eq!(refers_to(&site).await, one, "a rollback brings the configuration back");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kubectl_applied_is_unchanged_by_the_same_file() {
    let Some(ground) = Ground::new().await else { return };
    let site = Site::new(ground).await;
    let text = manifests(&site.ground, "one", true);
    site.ground.apply(&text).await;
    site.ground.rolled_out("web").await;
    let before = site.ground.shown("deployment", "web").await;
    assert_eq!(site.deploy_text(&text, &BlueGreen).await.0.finish, Finish::Unchanged);
    assert_eq!(site.ground.shown("deployment", "web").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_change_without_a_new_pod_and_come_back_with_a_broken_version() {
    let Some(ground) = Ground::new().await else { return };
    let mut site = Site::new(ground).await;
    site.settle = std::time::Duration::ZERO;
    let web = Web { replicas: 1, ..Web::default() };
    site.ground.start(&web).await;
    let before = site.ground.shown("deployment", "web").await;
    let other = Web { strategy: "{ rollingUpdate: { maxUnavailable: 0 } }", ..web.clone() };

    let broken = Web { version: "2", env: &[("EXIT_MS", "1")], ..other.clone() };
    let report = site.deploy(&broken, &BlueGreen).await;
    assert!(matches!(report.finish, Finish::Ended(End::RolledBack { .. })), "{report:?}");
    assert_eq!(site.ground.shown("deployment", "web").await, before);

    let pods = site.ground.running("web").await;
    let report = site.deploy(&other, &BlueGreen).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    assert_eq!(site.ground.running("web").await, pods, "no pod is another one");
    let now = site.ground.shown("deployment", "web").await;
    assert_eq!(now["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    assert_eq!(site.deploy(&other, &BlueGreen).await.finish, Finish::Unchanged);
    // it says `configured` of a file with a strategy even when applied twice, but changes nothing
    let version = async || site.ground.get("deployment", "web").await["metadata"]["resourceVersion"].clone();
    let before = version().await;
    site.ground.apply(&other.manifests(&site.ground)).await;
    assert_eq!(version().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_was_there_survives_the_way_back_of_a_deployer_that_knew_nothing_of_it() {
    let Some(ground) = Ground::new().await else { return };
    let mut site = Site::new(ground).await;
    site.settle = std::time::Duration::ZERO;
    let web = Web { replicas: 1, ..Web::default() };
    site.ground.start(&web).await;
    let before = site.ground.shown("service", "web").await;
    // prepared by one process, run by another
    let prepared = site.prepare(&Web { env: &[("EXIT_MS", "1")], ..web }).await;
    let request = Request { services: prepared.services, payloads: prepared.payloads };
    let report = Site::run(&site.open().await, &request, &BlueGreen).await;
    assert!(matches!(report.finish, Finish::Ended(End::RolledBack { .. })), "{report:?}");
    assert_eq!(site.ground.shown("service", "web").await, before);
}
