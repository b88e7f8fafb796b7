//! The ground itself: what a plain rolling update loses is seen, and what it needn't lose isn't lost.

use crate::{
    ground::Ground,
    load::{Connections, Load},
    web::Web,
};

/// Requests, still being sent after Kubernetes alone has replaced version 1 by version 2.
async fn rolling_update(ground: &Ground, web: &Web<'_>, connections: Connections) -> Load {
    let load = Load::start(ground.start(web).await, connections);
    replace(ground, web).await;
    ground.runs_in(web.name, web.replicas as usize).await;
    let seen = load.seen();
    eprintln!("{seen:?}");
    assert!(["1", "2"].iter().all(|version| seen.versions.contains_key(*version)), "{seen:?}");
    load
}

async fn replace(ground: &Ground, web: &Web<'_>) {
    ground.kubectl(&["set", "env", &format!("deployment/{}", web.name), "VERSION=2"]).await;
    ground.rolled_out(web.name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_exits_at_once_loses_requests_in_a_rolling_update_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let seen = rolling_update(&ground, &Web::default(), Connections::New).await.end().await;
    ground.forget_connections(ground.node_port("web").await).await;
    assert!(seen.lost > 0, "where losses aren't seen, no other test can fail: {seen:?}");
    eprintln!("lost {} of {}", seen.lost, seen.sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pre_stop_saves_every_request_of_a_rolling_update_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let web = Web { pre_stop: Some(3), ..Web::default() };
    rolling_update(&ground, &web, Connections::New).await.lost_none().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_drains_saves_every_request_on_kept_connections_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let web = Web { pre_stop: Some(3), env: &[("ON_TERM", "drain")], ..Web::default() };
    rolling_update(&ground, &web, Connections::Kept).await.lost_none().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_the_same_again_after_an_undo_and_differs_before() {
    let Some(ground) = Ground::new().await else { return };
    let web = Web { replicas: 1, ..Web::default() };
    ground.start(&web).await;
    let before = ground.shown("deployment", web.name).await;
    replace(&ground, &web).await;
    assert_ne!(ground.shown("deployment", web.name).await, before);
    ground.kubectl(&["rollout", "undo", "deployment/web"]).await;
    ground.rolled_out(web.name).await;
    assert_eq!(ground.shown("deployment", web.name).await, before);
    assert!(ground.apply(&web.manifests(&ground)).await.contains("deployment.apps/web unchanged"));
}
