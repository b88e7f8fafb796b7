//! Requests that could be understood in two ways, and the likes of them: 400, and the connection ends.

use std::time::Duration;

use crate::common::{Server, Web, backend};

/// Requests that are refused. None reaches the backend.
const REFUSED: [(&str, &str); 22] = [
    (
        "length and chunked",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunked and length",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ),
    ("two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde"),
    ("one length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde"),
    ("a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nabcde"),
    ("a signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nabcde"),
    ("a length that is no number", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5x\r\n\r\nabcde"),
    ("chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("another coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("almost chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    (
        "chunked, hidden by a vertical tab",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n",
    ),
    ("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a space before the colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nabcde"),
    ("a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"),
    ("a bare line feed", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
    ("a bare line feed at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
    ("a bare carriage return", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rContent-Length: 5\r\n\r\n"),
    ("no host", "GET / HTTP/1.1\r\nX: a\r\n\r\n"),
    ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("a bad name", "GET / HTTP/1.1\r\nHost: a\r\nX(y): a\r\n\r\n"),
    ("a NUL", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
    ("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
];

#[tokio::test]
async fn what_can_be_understood_in_two_ways_is_refused() {
    let (web, server) = (Web::new("http").await, Server::named("a", Duration::ZERO).await);
    web.route([backend("a", server.address)]).await;
    for (what, request) in REFUSED {
        let mut wire = web.connect().await;
        // What follows would be a request of its own, were the first one understood in the other way.
        wire.send(&format!("{request}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let answer = wire.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.0 400 "), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{what}: {answer}");
    }
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn a_kept_connection_is_held_to_the_same() {
    let (web, server) = (Web::new("http").await, Server::named("a", Duration::ZERO).await);
    web.route([backend("a", server.address)]).await;
    for (what, request) in REFUSED {
        let mut wire = web.connect().await;
        assert_eq!(wire.get("/").await.unwrap().0, 200);
        // In small pieces, so that nothing is found only where it comes at once.
        for piece in request.as_bytes().chunks(7) {
            if !wire.try_send(std::str::from_utf8(piece).unwrap()).await {
                break;
            }
            tokio::task::yield_now().await;
        }
        let answer = wire.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.0 400 "), "{what}: {answer}");
    }
}

#[tokio::test]
async fn chunks_that_can_be_understood_in_two_ways_end_the_request() {
    for (what, body) in [
        ("a bare line feed after the size", "5\nabcde\r\n0\r\n\r\n"),
        ("a space after the size", "5 \r\nabcde\r\n0\r\n\r\n"),
        ("a prefix before the size", "0x5\r\nabcde\r\n0\r\n\r\n"),
        ("a sign", "+5\r\nabcde\r\n0\r\n\r\n"),
        ("no size", "\r\nabcde\r\n0\r\n\r\n"),
        ("a size past counting", "10000000000000005\r\nabcde\r\n0\r\n\r\n"),
        ("a longer chunk than said", "5\r\nabcdef\r\n0\r\n\r\n"),
        ("a length among the trailers", "0\r\nContent-Length: 9\r\n\r\n"),
        ("a bare line feed at the end", "0\r\n\n"),
    ] {
        let web = Web::new("http").await;
        // Would answer, were the request complete.
        let server = Server::new(|mut wire| async move {
            wire.head().await.unwrap();
            if wire.until("0\r\n\r\n").await.is_some() {
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            }
        })
        .await;
        web.route([backend("a", server.address)]).await;
        let mut wire = web.connect().await;
        wire.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        wire.try_send(&format!("{body}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let answer = wire.rest().await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), usize::from(!answer.is_empty()), "{what}: {answer}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let web = Web::new("http").await;
    let mut wire = web.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: a\r\n").await;
    for _ in 0..20 {
        wire.try_send(&format!("X: {}\r\n", "y".repeat(60_000))).await;
    }
    let answer = wire.rest().await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}
