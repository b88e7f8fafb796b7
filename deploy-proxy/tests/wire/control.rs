//! What a proxy is asked: fences, revisions, listeners, probes, the end.

use std::time::Duration;

use deploy_core::model::Fence;
use deploy_proxy::control::{AskError, BadRoutes, Client, Probe, ProbeOutcome, Refusal, Routes};
use serde_json::{Value, json};

use crate::common::{LONG, Server, Web, Wire, backend, listener, nobody, ok};

#[tokio::test]
async fn a_change_must_come_from_the_newest_fence_and_revision() {
    let web = Web::new("http").await;
    let routes = |name: &str, address| Routes { backends: vec![backend(name, address)], ..Routes::default() };
    let address = nobody().await;
    let first = web.client.set_routes(Fence(5), 0, None, routes("a", address)).await.unwrap();
    assert_eq!((first.revision, first.fence), (1, Fence(5)));

    let stale = web.client.set_routes(Fence(4), 1, None, routes("b", address)).await;
    assert!(
        matches!(stale, Err(AskError::Refused(Refusal::StaleFence { highest: Fence(5), found: Fence(4) }))),
        "{stale:?}"
    );
    let old = web.client.set_routes(Fence(5), 0, None, routes("b", address)).await;
    assert!(matches!(old, Err(AskError::Refused(Refusal::WrongRevision { expected: 0, found: 1 }))), "{old:?}");
    assert_eq!(web.client.routes().await.unwrap(), first);

    // Whoever takes over raises the fence before anything else.
    assert_eq!(web.client.raise_fence(Fence(6)).await.unwrap().fence, Fence(6));
    let drain = web.client.drain(Fence(5), "a".into(), LONG).await;
    assert!(matches!(drain, Err(AskError::Refused(Refusal::StaleFence { .. }))), "{drain:?}");
    let listen = web.client.listen(Fence(5), listener("http")).await;
    assert!(matches!(listen, Err(AskError::Refused(Refusal::StaleFence { .. }))), "{listen:?}");
    let unlisten = web.client.unlisten(Fence(5), web.address.port()).await;
    assert!(matches!(unlisten, Err(AskError::Refused(Refusal::StaleFence { .. }))), "{unlisten:?}");
    let end = web.client.shutdown(Fence(5), LONG).await;
    assert!(matches!(end, Err(AskError::Refused(Refusal::StaleFence { .. }))), "{end:?}");
}

#[tokio::test]
async fn of_two_changes_from_one_revision_one_is_refused() {
    let web = Web::new("http").await;
    let other = Client::connect(web.running.socket()).await.unwrap();
    let address = nobody().await;
    let routes = |name: &str| Routes { backends: vec![backend(name, address)], ..Routes::default() };
    let (a, b) = tokio::join!(
        web.client.set_routes(Fence(1), 0, None, routes("a")),
        other.set_routes(Fence(1), 0, None, routes("b"))
    );
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    assert_eq!(web.client.routes().await.unwrap(), a.or(b).unwrap());
}

#[tokio::test]
async fn routes_that_make_no_sense_are_refused() {
    let web = Web::new("http").await;
    let address = nobody().await;
    let twice = Routes { backends: vec![backend("a", address), backend("a", address)], ..Routes::default() };
    let refused = web.client.set_routes(Fence(1), 0, None, twice).await;
    assert!(matches!(refused, Err(AskError::Refused(Refusal::BadRoutes(BadRoutes::Twice(_))))), "{refused:?}");
    assert_eq!(web.client.routes().await.unwrap().revision, 0);
}

#[tokio::test]
async fn questions_are_answered_while_a_drain_waits() {
    let (web, server) = (Web::new("http").await, Server::named("a", LONG).await);
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    crate::common::eventually("the request is in flight", || async { web.in_flight("a").await == 1 }).await;
    web.route([]).await;
    tokio::select! {
        drained = web.client.drain(Fence(1), "a".into(), LONG) => panic!("{drained:?}"),
        state = async { for _ in 0..10 { web.client.stats().await.unwrap(); } web.client.routes().await } => {
            assert_eq!(state.unwrap().revision, 2);
        }
    }
}

#[tokio::test]
async fn ports_are_opened_and_closed_while_it_runs() {
    let (web, server) = (Web::new("http").await, Server::named("a", Duration::ZERO).await);
    let mut further = backend("a", server.address);
    further.ports.insert(81, server.address.port());
    web.route([further]).await;
    let mut kept = web.connect().await;
    assert_eq!(kept.get("/").await.unwrap().0, 200);

    let open = web.client.listen(Fence(1), "127.0.0.1:0:81:http".parse().unwrap()).await.unwrap();
    assert_eq!(open.len(), 2);
    let added = (web.address.ip(), open[1].port).into();
    assert_eq!(Wire::connect(added).await.get("/").await.unwrap().0, 200);
    let taken = web.client.listen(Fence(1), open[1].clone()).await;
    assert!(
        matches!(taken, Err(AskError::Refused(Refusal::Listener { port, .. })) if port == added.port()),
        "{taken:?}"
    );

    let open = web.client.unlisten(Fence(1), web.address.port()).await.unwrap();
    assert_eq!(open.len(), 1);
    assert!(tokio::net::TcpStream::connect(web.address).await.is_err());
    // Those that exist go on.
    assert_eq!(kept.get("/").await.unwrap().0, 200);
    let closed = web.client.unlisten(Fence(1), web.address.port()).await;
    assert!(matches!(closed, Err(AskError::Refused(Refusal::Listener { .. }))), "{closed:?}");
}

fn http(address: std::net::SocketAddr, path: &str) -> Probe {
    Probe::Http {
        address: address.into(),
        method: "GET".into(),
        path: path.into(),
        host: Some("web.test".into()),
        headers: vec![("X-Probe".into(), "1".into())],
        expect: (200, 299),
    }
}

#[tokio::test]
async fn probes_say_what_they_found() {
    let web = Web::new("http").await;
    let server = Server::new(|mut wire| async move {
        let Some(head) = wire.head().await else { return };
        let text = "not\u{1f}ready ".repeat(100);
        match head.split(' ').nth(1).unwrap() {
            "/good" if head.contains("host: web.test\r\n") && head.contains("x-probe: 1\r\n") => {
                wire.send(&ok("")).await
            }
            "/bad" => wire.send(&format!("HTTP/1.1 500 No\r\nContent-Length: {}\r\n\r\n{text}", text.len())).await,
            "/never" => drop(wire.head().await),
            _ => wire.send("what?\r\n\r\n").await,
        }
    })
    .await;
    let probe = |probe, limit| web.client.probe(probe, limit);
    let found = probe(http(server.address, "/good"), LONG).await.unwrap();
    assert!(matches!(found, ProbeOutcome::Passed { status: Some(200), .. }), "{found:?}");
    let found = probe(http(server.address, "/bad"), LONG).await.unwrap();
    assert!(
        matches!(&found, ProbeOutcome::BadStatus { status: 500, body, .. } if body.len() == 512 && body.starts_with("not")),
        "{found:?}"
    );
    let found = probe(http(server.address, "/never"), Duration::from_millis(50)).await.unwrap();
    assert_eq!(found, ProbeOutcome::TimedOut { connected: true });
    let found = probe(http(server.address, "/odd"), LONG).await.unwrap();
    assert!(matches!(found, ProbeOutcome::Broken { .. }), "{found:?}");
    let found = probe(http(nobody().await, "/"), LONG).await.unwrap();
    assert!(matches!(found, ProbeOutcome::Refused { .. }), "{found:?}");
    let found = probe(http(server.address, "relative"), LONG).await.unwrap();
    assert!(matches!(found, ProbeOutcome::Invalid { .. }), "{found:?}");

    let found = web.client.probe_tcp(server.address.into(), LONG).await.unwrap();
    assert!(matches!(found, ProbeOutcome::Passed { status: None, .. }), "{found:?}");
    let found = web.client.probe_tcp(nobody().await.into(), LONG).await.unwrap();
    assert!(matches!(found, ProbeOutcome::Refused { .. }), "{found:?}");
}

/// One message on a raw control connection.
async fn frame(stream: &mut tokio::net::UnixStream, message: &Value) -> Value {
    deploy_proxy::control::write_frame(stream, message).await.unwrap();
    deploy_proxy::control::read_frame(stream).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_protocol_is_what_it_is_on_the_wire() {
    let web = Web::new("http").await;
    let mut stream = tokio::net::UnixStream::connect(web.running.socket()).await.unwrap();
    let hello = frame(&mut stream, &json!({ "protocol": 7, "min": 1, "later": true })).await;
    assert_eq!(hello, json!({ "protocol": 1, "min": 1, "name": "web" }));
    let routes = frame(&mut stream, &json!({ "id": 3, "ask": "get_routes" })).await;
    let none = json!({ "routes": { "revision": 0, "fence": 0, "routes": { "backends": [] } } });
    assert_eq!(routes, json!({ "id": 3, "reply": { "answer": none } }));
    let set = json!({ "set_routes": { "fence": 2, "expected_revision": 0, "deployment": 9, "routes": { "backends": [
        { "instance": "web-1", "release": "web-0123456789abcdef", "host": "10.0.0.2", "weight": 1 }
    ] } } });
    let routes = frame(&mut stream, &json!({ "id": 4, "ask": set })).await;
    assert_eq!(routes["reply"]["answer"]["routes"]["revision"], 1);
    assert_eq!(routes["reply"]["answer"]["routes"]["deployment"], 9);
    let unknown = frame(&mut stream, &json!({ "id": 5, "ask": { "dance": {} } })).await;
    assert_eq!(unknown["reply"]["refusal"]["not_understood"]["protocol"], 1);
    let stale = frame(&mut stream, &json!({ "id": 6, "ask": { "raise_fence": { "fence": 1 } } })).await;
    assert_eq!(stale, json!({ "id": 6, "reply": { "refusal": { "stale_fence": { "highest": 2, "found": 1 } } } }));
}

#[tokio::test]
async fn an_end_in_good_order_finishes_what_is_in_flight() {
    let (web, server) = (Web::new("http").await, Server::named("a", Duration::from_millis(200)).await);
    web.route([backend("a", server.address)]).await;
    let Web { running, client, address, folder, .. } = web;
    let mut idle = Wire::connect(address).await;
    assert_eq!(idle.get("/").await.unwrap().0, 200);
    let mut busy = Wire::connect(address).await;
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    crate::common::eventually("the request is in flight", || async {
        client.stats().await.unwrap().backends[0].in_flight == 1
    })
    .await;
    client.shutdown(Fence(1), LONG).await.unwrap();
    let grace = running.asked_to_stop().await;
    assert_eq!(grace, LONG);
    let (finished, answer, rest) = tokio::join!(running.stop(grace), busy.answer(), idle.rest());
    assert!(finished);
    assert_eq!((answer, rest.as_str()), (Some((200, "a".into())), ""));
    assert_eq!(busy.rest().await, "");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    drop(folder);
}

#[tokio::test]
async fn an_end_cuts_off_what_takes_longer_than_its_grace() {
    let web = Web::new("http").await;
    let server = Server::named("a", LONG).await;
    web.route([backend("a", server.address)]).await;
    let mut busy = web.connect().await;
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    crate::common::eventually("the request is in flight", || async { web.in_flight("a").await == 1 }).await;
    assert!(!web.running.stop(Duration::from_millis(50)).await);
    assert_eq!(busy.rest().await, "");
}
