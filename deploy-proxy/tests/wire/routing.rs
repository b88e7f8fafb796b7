//! Routes change under load, and nothing is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use deploy_core::model::Fence;
use deploy_proxy::control::{AskError, Backend, Drained, Refusal};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::common::{LONG, Server, Web, Wire, backend, eventually, ok};

/// How the clients of a load use connections.
#[derive(Clone, Copy)]
enum Connections {
    Kept,
    OneEach,
}

/// Clients that ask one request after the other until told to end. Yields how often each backend answered; fails on
/// any other answer, or none.
async fn load(web: &Web, connections: Connections, during: impl Future<Output = ()>) -> BTreeMap<String, u64> {
    let end = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..16 {
        let (end, address) = (Arc::clone(&end), web.address);
        clients.spawn(async move {
            let mut wire = Wire::connect(address).await;
            let mut answers = BTreeMap::new();
            while !end.load(Ordering::Relaxed) {
                let (status, body) = wire.get("/").await.expect("an answer");
                assert_eq!(status, 200, "{body}");
                *answers.entry(body).or_insert(0_u64) += 1;
                if matches!(connections, Connections::OneEach) {
                    wire = Wire::connect(address).await;
                }
            }
            answers
        });
    }
    during.await;
    end.store(true, Ordering::Relaxed);
    let mut sum = BTreeMap::new();
    while let Some(answers) = clients.join_next().await {
        for (name, count) in answers.unwrap() {
            *sum.entry(name).or_insert(0) += count;
        }
    }
    sum
}

/// One release after the other, each of two instances that end as soon as they are drained.
async fn releases_under_load(connections: Connections) {
    let web = Web::new("http").await;
    const NAMES: [[&str; 2]; 6] = [["1a", "1b"], ["2a", "2b"], ["3a", "3b"], ["4a", "4b"], ["5a", "5b"], ["6a", "6b"]];
    let start = |[a, b]: [&'static str; 2]| async move {
        [Server::named(a, Duration::from_millis(3)).await, Server::named(b, Duration::from_millis(3)).await]
    };
    let route = |names: [&'static str; 2], servers: &[Server; 2]| {
        [backend(names[0], servers[0].address), backend(names[1], servers[1].address)]
    };
    let mut serving = start(NAMES[0]).await;
    web.route(route(NAMES[0], &serving)).await;
    let answers = load(&web, connections, async {
        for window in NAMES.windows(2) {
            let [old, new] = [window[0], window[1]];
            sleep(Duration::from_millis(50)).await;
            let next = start(new).await;
            web.route(route(new, &next)).await;
            for instance in old {
                let drained = web.client.drain(Fence(1), instance.into(), LONG).await.unwrap();
                assert_eq!(drained, Drained { remaining: 0, closed: 0 });
            }
            // The ports close with the servers: whatever still went there would be refused.
            serving = next;
        }
        sleep(Duration::from_millis(50)).await;
    })
    .await;
    assert_eq!(answers.len(), 12, "every instance served: {answers:?}");
    let stats = web.client.stats().await.unwrap();
    assert!(stats.backends.iter().all(|backend| backend.connect_failures == 0), "{stats:?}");
    assert_eq!(stats.backends.len(), 2, "those gone are forgotten: {stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_change_without_a_lost_request_on_kept_connections() {
    releases_under_load(Connections::Kept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_change_without_a_lost_request_on_a_connection_each() {
    releases_under_load(Connections::OneEach).await;
}

/// It ends what has been idle for a moment, and doesn't look whether a request has just come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_connections_as_they_are_used_again_costs_no_request_under_load() {
    let unanswered = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&unanswered);
    let impatient = Server::new(move |mut wire| {
        let unanswered = Arc::clone(&count);
        async move {
            let mut request = wire.head().await;
            while request.is_some() && wire.try_send(&ok("a")).await {
                request = timeout(Duration::from_millis(2), wire.head()).await.unwrap_or_default();
            }
            sleep(Duration::from_millis(1)).await;
            let came = wire.stream.try_read(&mut [0; 1]).is_ok_and(|count| count > 0);
            unanswered.fetch_add(u64::from(came), Ordering::SeqCst);
        }
    })
    .await;
    let web = Web::new("http").await;
    web.route([backend("a", impatient.address)]).await;
    let mut clients = JoinSet::new();
    for client in 0..16 {
        let address = web.address;
        clients.spawn(async move {
            let mut wire = Wire::connect(address).await;
            for request in 0..400 {
                assert_eq!(wire.get("/").await, Some((200, "a".into())));
                sleep(Duration::from_micros((client * 7 + request) % 16 * 300)).await;
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let unanswered = unanswered.load(Ordering::SeqCst);
    assert!(unanswered > 0, "no request came just as its connection ended: the test shows nothing");
}

#[tokio::test]
async fn weights_divide_the_requests() {
    let web = Web::new("http").await;
    let (a, b) = (Server::named("a", Duration::ZERO).await, Server::named("b", Duration::ZERO).await);
    let mut backends = [backend("a", a.address), backend("b", b.address)];
    (backends[0].weight, backends[1].weight) = (9, 1);
    web.route(backends).await;
    let mut wire = web.connect().await;
    let mut from_b = 0;
    for _ in 0..200 {
        from_b += u64::from(wire.get("/").await.unwrap().1 == "b");
    }
    assert!((18..=22).contains(&from_b), "{from_b} of 200");
    let stats = web.client.stats().await.unwrap();
    assert_eq!(stats.backends.iter().map(|backend| backend.sent).collect::<Vec<_>>(), [200 - from_b, from_b]);
}

#[tokio::test]
async fn a_drain_waits_for_what_is_in_flight_and_no_longer() {
    let web = Web::new("http").await;
    let server = Server::named("a", Duration::from_millis(200)).await;
    let other = Server::named("b", Duration::ZERO).await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n").await;
    eventually("the request is in flight", || async { web.in_flight("a").await == 1 }).await;

    let refused = web.client.drain(Fence(1), "a".into(), LONG).await;
    assert!(matches!(refused, Err(AskError::Refused(Refusal::StillRouted { .. }))), "{refused:?}");

    web.route([backend("b", other.address)]).await;
    let cut_short = web.client.drain(Fence(1), "a".into(), Duration::ZERO).await.unwrap();
    assert_eq!(cut_short, Drained { remaining: 1, closed: 0 });
    let (drained, answer) = tokio::join!(web.client.drain(Fence(1), "a".into(), LONG), wire.answer());
    assert_eq!(drained.unwrap(), Drained { remaining: 0, closed: 0 });
    assert_eq!(answer, Some((200, "a".into())));
    // The kept connection isn't tied to the backend that it was served by.
    assert_eq!(wire.get("/").await, Some((200, "b".into())));
    assert_eq!(
        web.client.drain(Fence(1), "never heard of".into(), LONG).await.unwrap(),
        Drained { remaining: 0, closed: 0 }
    );
}

#[tokio::test]
async fn idle_connections_are_closed_before_a_drain_is_answered() {
    // Ends its connection as soon as the proxy does; a server that waits for that would otherwise take its time.
    let open = Arc::new(std::sync::atomic::AtomicI64::new(0));
    let count = Arc::clone(&open);
    let server = Server::new(move |mut wire| {
        let open = Arc::clone(&count);
        async move {
            open.fetch_add(1, Ordering::SeqCst);
            while wire.head().await.is_some() {
                wire.send(&crate::common::ok("a")).await;
            }
            open.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    let web = Web::with("http", |config| {
        (config.timeouts.upstream_idle, config.timeouts.hold) = (Duration::from_secs(3600), Duration::ZERO);
    })
    .await;
    web.route([backend("a", server.address)]).await;
    web.connect().await.get("/").await.unwrap();
    assert_eq!(open.load(Ordering::SeqCst), 1);
    let mut weightless = backend("a", server.address);
    weightless.weight = 0;
    web.route([weightless]).await;
    web.client.drain(Fence(1), "a".into(), LONG).await.unwrap();
    eventually("the backend sees its connections end", || async { open.load(Ordering::SeqCst) == 0 }).await;
    assert_eq!(web.connect().await.get("/").await.unwrap().0, 503);
}

#[tokio::test]
async fn a_connection_that_was_in_flight_is_not_kept_after_the_drain() {
    let gone = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&gone);
    let server = Server::new(move |mut wire| {
        let gone = Arc::clone(&told);
        async move {
            wire.head().await.unwrap();
            sleep(Duration::from_millis(200)).await;
            wire.send(&crate::common::ok("a")).await;
            assert!(wire.head().await.is_none());
            gone.notify_one();
        }
    })
    .await;
    let web = Web::with("http", |config| config.timeouts.upstream_idle = Duration::from_secs(3600)).await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n").await;
    eventually("the request is in flight", || async { web.in_flight("a").await == 1 }).await;
    // Still known after the drain, as it is in the routes.
    let mut weightless = backend("a", server.address);
    weightless.weight = 0;
    web.route([weightless]).await;
    web.client.drain(Fence(1), "a".into(), LONG).await.unwrap();
    tokio::time::timeout(LONG, gone.notified()).await.expect("the backend sees its connection end");
}

#[tokio::test]
async fn a_backend_that_comes_back_is_counted_on() {
    let web = Web::new("http").await;
    let server = Server::named("a", Duration::from_millis(300)).await;
    let other = Server::named("b", Duration::ZERO).await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n").await;
    eventually("the request is in flight", || async { web.in_flight("a").await == 1 }).await;
    web.route([backend("b", other.address)]).await;
    let (drained, _) = tokio::join!(web.client.drain(Fence(1), "a".into(), LONG), async {
        web.route([backend("a", server.address)]).await;
    });
    assert!(matches!(drained, Err(AskError::Refused(Refusal::StillRouted { .. }))), "{drained:?}");
    assert_eq!(web.in_flight("a").await, 1);
    assert_eq!(wire.answer().await, Some((200, "a".into())));
    assert_eq!(web.in_flight("a").await, 0);
}

#[tokio::test]
async fn the_name_of_an_instance_at_another_address_is_another_instance() {
    let web = Web::new("http").await;
    let (old, new) = (Server::named("old", Duration::ZERO).await, Server::named("new", Duration::ZERO).await);
    web.route([backend("a", old.address)]).await;
    let mut wire = web.connect().await;
    assert_eq!(wire.get("/").await, Some((200, "old".into())));
    web.route([backend("a", new.address)]).await;
    assert_eq!(wire.get("/").await, Some((200, "new".into())));
}

#[tokio::test]
async fn a_name_is_resolved_for_each_connection() {
    let server = Server::named("by name", Duration::ZERO).await;
    let web = Web::new("http").await;
    web.route([Backend { host: "localhost".into(), ..backend("a", server.address) }]).await;
    assert_eq!(web.connect().await.get("/").await, Some((200, "by name".into())));
    web.route([Backend { host: "no-such-host.invalid".into(), ..backend("b", server.address) }]).await;
    assert_eq!(web.connect().await.get("/").await.map(|(status, _)| status), Some(502));
}
