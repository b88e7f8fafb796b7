//! Connections that aren't HTTP, and how they are told apart.

use std::time::Duration;

use deploy_core::model::Fence;
use deploy_proxy::control::Drained;

use crate::common::{LONG, Server, Web, Wire, backend, eventually, nobody};

/// Sends back each line behind its name.
async fn lines(name: &'static str) -> Server {
    Server::new(move |mut wire| async move {
        while let Some(line) = wire.until("\n").await {
            wire.send(&format!("{name}: {line}")).await;
        }
    })
    .await
}

/// Says its name before it is asked.
async fn greets(name: &'static str) -> Server {
    Server::new(move |mut wire| async move {
        wire.send(&format!("220 {name}\n")).await;
        while let Some(line) = wire.until("\n").await {
            wire.send(&format!("{name}: {line}")).await;
        }
    })
    .await
}

async fn say(wire: &mut Wire, line: &str) -> Option<String> {
    wire.send(line).await;
    wire.until("\n").await
}

#[tokio::test]
async fn bytes_pass_both_ways_and_ends_are_passed_on() {
    let web = Web::new("bytes").await;
    // Answers when the client has sent all: half of the connection is closed then.
    let server = Server::new(|mut wire| async move {
        let all = wire.rest().await;
        wire.send(&format!("got {all}")).await;
    })
    .await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send("all of it").await;
    tokio::io::AsyncWriteExt::shutdown(&mut wire.stream).await.unwrap();
    assert_eq!(wire.rest().await, "got all of it");
    eventually("nothing is in flight", || async { web.in_flight("a").await == 0 }).await;
}

#[tokio::test]
async fn a_byte_connection_stays_until_the_drains_deadline() {
    let web = Web::new("bytes").await;
    let (a, b) = (lines("a").await, lines("b").await);
    web.route([backend("a", a.address)]).await;
    let mut wire = web.connect().await;
    assert_eq!(say(&mut wire, "1\n").await.unwrap(), "a: 1\n");
    assert_eq!(web.in_flight("a").await, 1);

    web.route([backend("b", b.address)]).await;
    assert_eq!(say(&mut wire, "2\n").await.unwrap(), "a: 2\n");
    let mut newer = web.connect().await;
    assert_eq!(say(&mut newer, "3\n").await.unwrap(), "b: 3\n");

    let drained = web.client.drain(Fence(1), "a".into(), Duration::from_millis(50)).await.unwrap();
    assert_eq!(drained, Drained { remaining: 0, closed: 1 });
    assert_eq!(wire.rest().await, "");
    assert_eq!(say(&mut newer, "4\n").await.unwrap(), "b: 4\n");
}

#[tokio::test]
async fn a_drain_of_byte_connections_ends_when_they_do() {
    let web = Web::new("bytes").await;
    let server = lines("a").await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    assert_eq!(say(&mut wire, "1\n").await.unwrap(), "a: 1\n");
    web.route([]).await;
    let name = "a".into();
    let (drained, ()) = tokio::join!(web.client.drain(Fence(1), name, LONG), async { drop(wire) });
    assert_eq!(drained.unwrap(), Drained { remaining: 0, closed: 0 });
}

#[tokio::test]
async fn a_backend_that_refuses_is_passed_over() {
    let web = Web::new("bytes").await;
    let server = lines("a").await;
    web.route([backend("gone", nobody().await), backend("a", server.address)]).await;
    for _ in 0..10 {
        let mut wire = web.connect().await;
        assert_eq!(say(&mut wire, "1\n").await.unwrap(), "a: 1\n");
    }
    web.route([backend("gone", nobody().await)]).await;
    assert_eq!(web.connect().await.rest().await, "");
}

#[tokio::test]
async fn without_a_backend_the_connection_is_closed() {
    let web = Web::with("bytes", |config| config.timeouts.hold = Duration::ZERO).await;
    assert_eq!(web.connect().await.rest().await, "");
}

#[tokio::test]
async fn between_two_backends_a_connection_waits() {
    let web = Web::new("bytes").await;
    let mut wire = web.connect().await;
    let waiting = tokio::spawn(async move { say(&mut wire, "hello\n").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    let server = lines("a").await;
    web.route([backend("a", server.address)]).await;
    assert!(waiting.await.unwrap().is_some());
}

#[tokio::test]
async fn the_first_bytes_tell_http_from_the_rest() {
    let web = Web::new("detect").await;
    let server = Server::new(|mut wire| async move {
        // HTTP passes with its headers changed, anything else as it is.
        let first = wire.until("\n").await.unwrap();
        if first.starts_with("GET") {
            let head = wire.head().await.unwrap();
            wire.send(&crate::common::ok(if head.contains("x-forwarded-for") { "http" } else { "bytes" })).await;
        } else {
            wire.send(&format!("bytes: {first}")).await;
        }
    })
    .await;
    web.route([backend("a", server.address)]).await;
    assert_eq!(web.connect().await.get("/").await, Some((200, "http".into())));
    let mut slow = web.connect().await;
    for piece in ["GE", "T /", " HTTP/1.1\r\nHost: a\r\n\r\n"] {
        slow.send(piece).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(slow.answer().await, Some((200, "http".into())));
    for first in ["\u{16}\u{3}\u{1} hello\n", "PRI * HTTP/2.0\n", "PING\r\n", "get key\r\n"] {
        assert_eq!(say(&mut web.connect().await, first).await.unwrap(), format!("bytes: {first}"));
    }
}

#[tokio::test]
async fn a_server_that_speaks_first_is_heard_after_a_moment_of_silence() {
    let web = Web::new("detect").await;
    let server = greets("a").await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    assert_eq!(wire.until("\n").await.unwrap(), "220 a\n");
    assert_eq!(say(&mut wire, "EHLO\n").await.unwrap(), "a: EHLO\n");
    assert_eq!((web.in_flight("a").await, server.accepted()), (1, 1));
}

#[tokio::test]
async fn a_silent_client_waits_for_a_backend() {
    let web = Web::new("detect").await;
    let mut wire = web.connect().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let server = greets("a").await;
    web.route([backend("a", server.address)]).await;
    assert_eq!(wire.until("\n").await.unwrap(), "220 a\n");
}

#[tokio::test]
async fn a_connection_opened_ahead_of_its_request_is_http_all_the_same() {
    let web = Web::with("detect", |config| config.timeouts.silence = Duration::from_millis(10)).await;
    let (a, b) = (Server::echo().await, Server::echo().await);
    web.route([backend("a", a.address)]).await;
    let mut wire = web.connect().await;
    eventually("a backend is listened to", || async { a.accepted() == 1 }).await;
    // Nothing is in flight, so a silent client delays no release.
    web.route([backend("b", b.address)]).await;
    assert_eq!(web.client.drain(Fence(1), "a".into(), LONG).await.unwrap(), Drained { remaining: 0, closed: 0 });
    eventually("the other backend is listened to", || async { b.accepted() == 1 }).await;
    let (status, head) = wire.get("/late").await.unwrap();
    assert!(status == 200 && head.contains("x-forwarded-for"), "{head}");
}

#[tokio::test]
async fn a_silent_client_outlives_a_backend_that_loses_patience() {
    let web = Web::with("detect", |config| config.timeouts.silence = Duration::from_millis(10)).await;
    let server = Server::new(|mut wire| async move {
        if let Ok(Some(line)) = tokio::time::timeout(Duration::from_millis(20), wire.until("\n")).await {
            wire.send(&line).await;
        }
    })
    .await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    tokio::time::sleep(Duration::from_millis(80)).await;
    assert_eq!(say(&mut wire, "at last\n").await.unwrap(), "at last\n");
}
