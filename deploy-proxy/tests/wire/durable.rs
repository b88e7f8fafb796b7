//! Routes outlive the process, and damage to their file.

use std::time::Duration;

use deploy_core::model::Fence;
use deploy_proxy::control::{AskError, Refusal, Routes};
use deploy_proxy::proxy::{Config, Proxy, StartError};
use serde_json::{Value, json};

use crate::common::{Server, Web, backend};

#[tokio::test]
async fn a_proxy_that_starts_again_serves_as_before() {
    let server = Server::named("a", Duration::ZERO).await;
    let web = Web::new("http").await;
    web.route([backend("a", server.address)]).await;
    let before = web.client.raise_fence(Fence(7)).await.unwrap();
    // Killed: nothing is told to end.
    let Web { running, folder, .. } = web;
    drop(running);
    let web = Web::in_folder(folder, "http", |_| {}).await;
    assert_eq!(web.client.routes().await.unwrap(), before);
    assert_eq!(web.connect().await.get("/").await, Some((200, "a".into())));
    let stale = web.client.set_routes(Fence(6), before.revision, None, Routes::default()).await;
    assert!(matches!(stale, Err(AskError::Refused(Refusal::StaleFence { .. }))), "{stale:?}");
}

#[tokio::test]
async fn damage_to_the_newest_routes_is_said_and_the_ones_before_serve() {
    let (old, new) = (Server::named("old", Duration::ZERO).await, Server::named("new", Duration::ZERO).await);
    let web = Web::new("http").await;
    web.route([backend("old", old.address)]).await;
    web.route([backend("new", new.address)]).await;
    let Web { running, folder, .. } = web;
    drop(running);
    let file = folder.path().join("web.routes.json");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();

    let web = Web::in_folder(folder, "http", |_| {}).await;
    assert_eq!(web.connect().await.get("/").await, Some((200, "old".into())));
    let lines: Vec<Value> = web.lines.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["event"], &lines[1]["event"]), (&json!("warning"), &json!("routes")));
    let message = lines[0]["message"].as_str().unwrap();
    assert!(
        message.contains("web.routes.json") && message.contains("the routes before, revision 1, are in force"),
        "{message}"
    );
    // And it goes on from there.
    assert_eq!(web.route([backend("new", new.address)]).await.revision, 2);
    assert_eq!(web.connect().await.get("/").await, Some((200, "new".into())));
}

#[tokio::test]
async fn a_change_that_cannot_be_stored_is_refused_and_changes_nothing() {
    let (old, new) = (Server::named("old", Duration::ZERO).await, Server::named("new", Duration::ZERO).await);
    let web = Web::new("http").await;
    let before = web.route([backend("old", old.address)]).await;
    // A folder in the way fails for the superuser too.
    std::fs::create_dir(web.folder.path().join("web.routes.json.new")).unwrap();
    let routes = Routes { backends: vec![backend("new", new.address)], ..Routes::default() };
    let refused = web.client.set_routes(Fence(1), before.revision, None, routes).await;
    assert!(matches!(refused, Err(AskError::Refused(Refusal::Storage { .. }))), "{refused:?}");
    assert_eq!(web.client.routes().await.unwrap(), before);
    assert_eq!(web.connect().await.get("/").await, Some((200, "old".into())));
}

#[tokio::test]
async fn every_change_is_one_line_of_the_log() {
    let web = Web::new("http").await;
    let server = Server::named("a", Duration::ZERO).await;
    let state = web.route([backend("a", server.address)]).await;
    let lines = web.lines.lock().unwrap().clone();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let mut expected = serde_json::to_value(&state).unwrap();
    expected["event"] = json!("routes");
    expected["service"] = json!("web");
    assert_eq!(serde_json::from_str::<Value>(&lines[1]).unwrap(), expected);
}

#[tokio::test]
async fn two_proxies_do_not_share_a_service_and_a_folder() {
    let web = Web::new("http").await;
    let second = Proxy::start(Config::new("web", web.folder.path())).await;
    assert!(matches!(second, Err(StartError::Held { .. })), "{second:?}");
    let other = Proxy::start(Config::new("api", web.folder.path())).await.unwrap();
    drop(other);
}
