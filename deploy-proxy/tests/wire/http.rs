//! HTTP/1 through the proxy, looked at on the wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::common::{LONG, Server, Web, Wire, backend, eventually, nobody, ok};
use deploy_core::model::Fence;
use tokio::sync::Notify;

const GET: &str = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_but_for_what_concerns_the_hop() {
    let (web, server) = (Web::new("http").await, Server::echo().await);
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    let (status, seen) = wire
        .ask("GET /p%20a?q=1&r HTTP/1.1\r\nHost: shop.test:8080\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\nX-Forwarded-For: 9.9.9.9\r\nAccept: */*\r\nCookie: a=b\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(status, 200);
    let mut lines: Vec<_> = seen.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "GET /p%20a?q=1&r HTTP/1.1");
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "accept: */*",
            "cookie: a=b",
            "host: shop.test:8080",
            "x-forwarded-for: 9.9.9.9, 127.0.0.1",
            "x-forwarded-host: shop.test:8080",
            "x-forwarded-proto: http",
        ]
    );
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let (web, server) = (Web::new("http").await, Server::named("a", Duration::ZERO).await);
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    for _ in 0..20 {
        assert_eq!(wire.get("/").await, Some((200, "a".into())));
    }
    drop(wire);
    assert_eq!(web.connect().await.get("/").await, Some((200, "a".into())));
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (web, server) = (Web::new("http").await, Server::echo().await);
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    let requests: String = (0..5).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: web\r\n\r\n")).collect();
    wire.send(&requests).await;
    for n in 0..5 {
        let (_, seen) = wire.answer().await.unwrap();
        assert!(seen.starts_with(&format!("GET /{n} ")), "{seen}");
    }
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let (web, server) = (Web::new("http").await, Server::echo().await);
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send("GET /old HTTP/1.0\r\n\r\n").await;
    let answer = wire.rest().await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(answer.contains("GET /old HTTP/1.1\r\n"), "{answer}");
    assert!(answer.contains(&format!("host: {}\r\n", server.address)), "{answer}");
}

#[tokio::test]
async fn bodies_stream_both_ways_before_they_are_complete() {
    let web = Web::new("http").await;
    // Sends back every 3 bytes of a chunked body as a chunk, while the rest is still to come.
    let server = Server::new(|mut wire| async move {
        let head = wire.head().await.unwrap();
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        while let Some(chunk) = wire.exactly(8).await {
            wire.send(&chunk).await;
        }
    })
    .await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for chunk in ["3\r\nabc\r\n", "3\r\ndef\r\n", "3\r\nghi\r\n"] {
        wire.send(chunk).await;
        if chunk.contains("abc") {
            assert!(wire.head().await.unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
        }
        assert_eq!(wire.exactly(8).await.unwrap(), chunk);
    }
}

#[tokio::test]
async fn a_large_body_arrives_whole_and_waits_for_a_slow_reader() {
    let web = Web::new("http").await;
    let server = Server::new(|mut wire| async move {
        let head = wire.head().await.unwrap();
        assert!(head.contains("content-length: 3000000\r\n"), "{head}");
        let body = wire.exactly(3_000_000).await.unwrap();
        wire.send(&ok(&body)).await;
    })
    .await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    let body: String = (0..300_000).map(|n| format!("{n:>10}")).collect();
    wire.send(&format!("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (status, back) = wire.answer().await.unwrap();
    assert!(status == 200 && back == body);
}

#[tokio::test]
async fn the_client_is_told_to_go_on_with_its_body() {
    let web = Web::new("http").await;
    let server = Server::new(|mut wire| async move {
        let head = wire.head().await.unwrap();
        assert!(!head.contains("expect"), "{head}");
        let body = wire.exactly(4).await.unwrap();
        wire.send(&ok(&body)).await;
    })
    .await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send("PUT / HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n").await;
    assert_eq!(wire.head().await.unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(wire.ask("body").await, Some((200, "body".into())));
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_body_arrives() {
    let web = Web::new("http").await;
    let server = Server::new(|mut wire| async move {
        wire.head().await.unwrap();
        wire.send("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno\n").await;
        // Reads on, as a server does that wants its answer to arrive.
        wire.rest().await;
    })
    .await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 100000000\r\n\r\n").await;
    for _ in 0..64 {
        assert!(wire.try_send(&"x".repeat(65_536)).await, "the connection isn't reset");
    }
    assert_eq!(wire.answer().await, Some((413, "no\n".into())));
}

#[tokio::test]
async fn answers_without_a_body_keep_the_connection() {
    let web = Web::new("http").await;
    let server = Server::new(|mut wire| async move {
        while let Some(head) = wire.head().await {
            wire.send(match head.split(' ').next().unwrap() {
                "HEAD" => "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
                "DELETE" => "HTTP/1.1 204 No Content\r\n\r\n",
                _ => "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n",
            })
            .await;
        }
    })
    .await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    for (method, status) in [("HEAD", "200"), ("DELETE", "204"), ("GET", "304"), ("HEAD", "200")] {
        wire.send(&format!("{method} / HTTP/1.1\r\nHost: web\r\n\r\n")).await;
        let head = wire.head().await.unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert_eq!(head.contains("content-length: 1234"), method == "HEAD", "{head}");
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn an_upgraded_connection_is_bytes_counted_and_closed_at_a_drains_deadline() {
    let web = Web::new("http").await;
    let server = Server::new(|mut wire| async move {
        let head = wire.head().await.unwrap();
        assert!(head.contains("connection: upgrade\r\n") && head.contains("upgrade: chat\r\n"), "{head}");
        // The first bytes of the new protocol come together with the answer.
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nwelcome\n").await;
        while let Some(line) = wire.until("\n").await {
            wire.send(&format!("> {line}")).await;
        }
    })
    .await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send("GET /chat HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n").await;
    let head = wire.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("upgrade: chat\r\n"), "{head}");
    assert_eq!(wire.until("\n").await.unwrap(), "welcome\n");
    // What isn't HTTP any more isn't held to its rules.
    for line in ["Content-Length: x\n", "\n", " a\n"] {
        wire.send(line).await;
        assert_eq!(wire.until("\n").await.unwrap(), format!("> {line}"));
    }
    assert_eq!(web.in_flight("a").await, 1);
    web.route([]).await;
    let drained = web.client.drain(Fence(1), "a".into(), Duration::from_millis(50)).await.unwrap();
    assert_eq!((drained.remaining, drained.closed), (0, 1));
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn an_upgrade_that_is_declined_is_an_ordinary_answer() {
    let (web, server) = (Web::new("http").await, Server::named("a", Duration::ZERO).await);
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    let wants = "GET / HTTP/1.1\r\nHost: web\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n";
    assert_eq!(wire.ask(wants).await, Some((200, "a".into())));
    assert_eq!(wire.get("/").await, Some((200, "a".into())));
}

#[tokio::test]
async fn without_a_backend_the_answer_is_to_come_again() {
    let web = Web::with("http", |config| config.timeouts.hold = Duration::ZERO).await;
    let mut wire = web.connect().await;
    wire.send(GET).await;
    let head = wire.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 1\r\n"), "{head}");
    // And the connection is good for when there is one.
    let server = Server::named("a", Duration::ZERO).await;
    web.route([backend("a", server.address)]).await;
    wire.until("\n").await.unwrap();
    assert_eq!(wire.get("/").await, Some((200, "a".into())));
}

#[tokio::test]
async fn between_two_backends_requests_wait() {
    let (web, old) = (Web::new("http").await, Server::named("old", Duration::ZERO).await);
    web.route([backend("old", old.address)]).await;
    let mut wire = web.connect().await;
    assert_eq!(wire.get("/").await, Some((200, "old".into())));
    web.route([]).await;
    let waiting = tokio::spawn(async move { wire.get("/").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    let new = Server::named("new", Duration::ZERO).await;
    web.route([backend("new", new.address)]).await;
    assert_eq!(waiting.await.unwrap(), Some((200, "new".into())));
}

#[tokio::test]
async fn what_waits_is_told_to_come_again_when_the_proxy_ends() {
    let web = Web::new("http").await;
    let mut wire = web.connect().await;
    wire.send(GET).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ends = tokio::spawn(web.running.stop(Duration::from_secs(10)));
    assert!(wire.head().await.unwrap().starts_with("HTTP/1.1 503 "));
    ends.await.unwrap();
}

#[tokio::test]
async fn a_backend_that_refuses_is_passed_over() {
    let (web, server) = (Web::new("http").await, Server::echo().await);
    web.route([backend("gone", nobody().await), backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    for n in 0..20 {
        let body = format!("POST /{n} HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\n");
        wire.send(&body).await;
        wire.send("\r\n").await;
        assert_eq!(wire.answer().await.unwrap().0, 200);
        // The echo takes the body for an empty line before the next request.
    }
}

#[tokio::test]
async fn when_all_refuse_the_answer_is_502() {
    let web = Web::new("http").await;
    web.route([backend("a", nobody().await), backend("b", nobody().await)]).await;
    let mut wire = web.connect().await;
    assert_eq!(wire.get("/").await.unwrap().0, 502);
    assert_eq!(web.in_flight("a").await + web.in_flight("b").await, 0);
    let stats = web.client.stats().await.unwrap();
    assert!(stats.backends.iter().all(|backend| backend.connect_failures == 1), "{stats:?}");
    // Both rest now, and are asked all the same: there is no other.
    assert_eq!(wire.get("/").await.unwrap().0, 502);
    let stats = web.client.stats().await.unwrap();
    assert!(stats.backends.iter().all(|backend| backend.connect_failures == 2), "{stats:?}");
}

/// Answers the first request of each connection; ends it without a word when it gets a second.
async fn once_only(heard: Arc<AtomicU64>) -> Server {
    Server::new(move |mut wire| {
        let heard = Arc::clone(&heard);
        async move {
            wire.head().await.unwrap();
            heard.fetch_add(1, Ordering::SeqCst);
            wire.send(&ok("first")).await;
            if wire.head().await.is_some() {
                heard.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_repeatable_request_on_a_connection_that_died_is_sent_again() {
    let heard = Arc::new(AtomicU64::new(0));
    let (web, server) = (Web::new("http").await, once_only(Arc::clone(&heard)).await);
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: web\r\n\r\n");
        assert_eq!(wire.ask(&request).await, Some((200, "first".into())), "{method}");
    }
    // The first connection carries one answer; each later request dies on the connection before and gets a new one.
    assert_eq!((server.accepted(), heard.load(Ordering::SeqCst)), (4, 7));
}

#[tokio::test]
async fn what_may_not_be_repeated_is_sent_once() {
    let heard = Arc::new(AtomicU64::new(0));
    let (web, server) = (Web::new("http").await, once_only(Arc::clone(&heard)).await);
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    assert_eq!(wire.get("/").await.unwrap().0, 200);
    assert_eq!(wire.ask("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 0\r\n\r\n").await.unwrap().0, 502);
    assert_eq!((server.accepted(), heard.load(Ordering::SeqCst)), (1, 2));
    assert_eq!(wire.get("/").await.unwrap().0, 200);
    assert_eq!(wire.ask("PUT / HTTP/1.1\r\nHost: web\r\nContent-Length: 1\r\n\r\nx").await.unwrap().0, 502);
}

#[tokio::test]
async fn an_answer_that_began_is_never_asked_for_again() {
    let heard = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&heard);
    let server = Server::new(move |mut wire| {
        let heard = Arc::clone(&count);
        async move {
            wire.head().await.unwrap();
            wire.send(&ok("first")).await;
            if wire.head().await.is_some() {
                heard.fetch_add(1, Ordering::SeqCst);
                wire.send("HTTP/1.1 200 ").await;
            }
        }
    })
    .await;
    let web = Web::new("http").await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    assert_eq!(wire.get("/").await.unwrap().0, 200);
    assert_eq!(wire.get("/").await.unwrap().0, 502);
    assert_eq!(heard.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_that_the_backend_closed_while_idle_is_not_used() {
    let web = Web::new("http").await;
    let server = Server::new(|mut wire| async move {
        wire.head().await.unwrap();
        wire.send(&ok("a")).await;
    })
    .await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    for _ in 0..20 {
        // Not repeatable: it would be lost on a dead connection.
        assert_eq!(
            wire.ask("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 0\r\n\r\n").await,
            Some((200, "a".into()))
        );
        // Its end arrives.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_connection_idle_for_too_long_is_closed() {
    let ended = Arc::new(Notify::new());
    let told = Arc::clone(&ended);
    let server = Server::new(move |mut wire| {
        let ended = Arc::clone(&told);
        async move {
            wire.head().await.unwrap();
            wire.send(&ok("a")).await;
            assert!(wire.head().await.is_none());
            ended.notify_one();
        }
    })
    .await;
    let web = Web::with("http", |config| config.timeouts.upstream_idle = Duration::from_millis(50)).await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.get("/").await.unwrap();
    tokio::time::timeout(LONG, ended.notified()).await.expect("the idle connection is closed");
}

#[tokio::test]
async fn a_client_that_sends_no_request_is_closed() {
    let server = Server::named("a", Duration::from_millis(300)).await;
    let web = Web::with("http", |config| config.timeouts.client_idle = Duration::from_millis(50)).await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    // Waiting for an answer isn't being idle.
    assert_eq!(wire.get("/").await, Some((200, "a".into())));
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn a_head_that_takes_too_long_ends_the_connection() {
    let web = Web::with("http", |config| config.timeouts.head = Duration::from_millis(200)).await;
    let server = Server::named("a", Duration::from_millis(300)).await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send("GET / HTTP/1.1\r\nHo").await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    // Only the head's time is limited.
    assert_eq!(wire.ask("st: web\r\n\r\n").await, Some((200, "a".into())));
    for slow in ["GET / HT", "GET / HTTP/1.1\r\nHost: web\r\n"] {
        let mut wire = web.connect().await;
        wire.send(slow).await;
        assert_eq!(wire.rest().await, "");
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_504_where_a_limit_was_asked_for() {
    let server = Server::named("slow", LONG).await;
    let web = Web::with("http", |config| config.timeouts.response_header = Some(Duration::from_millis(50))).await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    assert_eq!(wire.get("/").await.unwrap().0, 504);
    eventually("nothing is in flight", || async { web.in_flight("a").await == 0 }).await;
}

#[tokio::test]
async fn the_limit_for_an_answer_begins_when_the_request_was_sent() {
    let server = Server::new(|mut wire| async move {
        wire.head().await.unwrap();
        wire.exactly(2).await.unwrap();
        wire.send(&ok("done")).await;
    })
    .await;
    let web = Web::with("http", |config| config.timeouts.response_header = Some(Duration::from_secs(1))).await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\nx").await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(wire.ask("y").await, Some((200, "done".into())));
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_request() {
    let gone = Arc::new(Notify::new());
    let told = Arc::clone(&gone);
    let server = Server::new(move |mut wire| {
        let gone = Arc::clone(&told);
        async move {
            wire.head().await.unwrap();
            assert!(wire.head().await.is_none());
            gone.notify_one();
        }
    })
    .await;
    let web = Web::new("http").await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send(GET).await;
    eventually("the request is in flight", || async { web.in_flight("a").await == 1 }).await;
    drop(wire);
    tokio::time::timeout(LONG, gone.notified()).await.expect("the backend is told");
    eventually("nothing is in flight", || async { web.in_flight("a").await == 0 }).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_passed_on_as_complete() {
    let arrived = Arc::new(Notify::new());
    let told = Arc::clone(&arrived);
    let server = Server::new(move |mut wire| {
        let arrived = Arc::clone(&told);
        async move {
            wire.head().await.unwrap();
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
            arrived.notified().await;
        }
    })
    .await;
    let web = Web::new("http").await;
    web.route([backend("a", server.address)]).await;
    let mut wire = web.connect().await;
    wire.send(GET).await;
    wire.until("3\r\nabc\r\n").await.unwrap();
    arrived.notify_one();
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn answers_that_make_no_sense_are_502() {
    for nonsense in
        ["nonsense\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", ""]
    {
        let server = Server::new(move |mut wire| async move {
            wire.head().await.unwrap();
            wire.send(nonsense).await;
        })
        .await;
        let web = Web::new("http").await;
        web.route([backend("a", server.address)]).await;
        assert_eq!(Wire::connect(web.address).await.get("/").await.unwrap().0, 502, "{nonsense:?}");
        // It took a new connection, so it isn't one that had died before.
        assert_eq!(server.accepted(), 1, "{nonsense:?}");
    }
}
