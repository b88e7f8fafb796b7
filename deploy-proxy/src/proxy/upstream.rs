//! One HTTP/1.1 connection to an instance.
//!
//! It has no task of its own: whoever uses it drives it, in the task of the client's connection. That saves two
//! wake-ups a request, and when a connection is dropped its socket is closed at once.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::body::RequestBody;
use crate::control::Address;

/// A connection that carries one request at a time.
pub(crate) struct Upstream {
    sender: SendRequest<RequestBody>,
    /// None once it ended without a look at a request.
    connection: Option<Connection<TokioIo<Heard>, RequestBody>>,
    address: Address,
    heard: Arc<AtomicBool>,
    ended: bool,
    reused: bool,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").field("address", &self.address).field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// Why a request got no answer.
#[derive(Debug)]
pub(crate) struct SendFailure {
    /// The request, where none of it was sent.
    pub(crate) unsent: Option<Request<RequestBody>>,
    /// Whether any byte of an answer came.
    pub(crate) heard: bool,
    pub(crate) error: hyper::Error,
}

impl Upstream {
    /// Connects within `limit`.
    pub(crate) async fn connect(address: &Address, limit: Duration) -> io::Result<Box<Self>> {
        let stream = connect(address, limit).await?;
        let heard = Arc::new(AtomicBool::new(false));
        let io = TokioIo::new(Heard { stream, heard: Arc::clone(&heard) });
        let (sender, connection) = Builder::new().handshake(io).await.map_err(io::Error::other)?;
        let (connection, address) = (Some(connection), address.clone());
        Ok(Box::new(Self { sender, connection, address, heard, ended: false, reused: false }))
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Whether it carried a request before, so that the other side may have ended it meanwhile.
    pub(crate) fn reused(&self) -> bool {
        self.reused
    }

    /// Reads and writes what can be; true once the connection is of no more use.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let connection = self.connection.as_mut();
        self.ended = self.ended || connection.is_none_or(|connection| connection.poll_without_shutdown(cx).is_ready());
        self.ended
    }

    /// Whether a further request can be sent, after looking at what came in since the last.
    pub(crate) async fn ready(&mut self) -> bool {
        self.reused = true;
        poll_fn(|cx| Poll::Ready(self.poll_ready(cx))).await
    }

    /// The same from within a poll.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> bool {
        !self.poll(cx) && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of the answer. The body is sent and the answer's is read while the
    /// connection is polled.
    pub(crate) async fn send(&mut self, request: Request<RequestBody>) -> Result<Response<Incoming>, SendFailure> {
        self.heard.store(false, Ordering::Relaxed);
        let mut answer = pin!(self.sender.try_send_request(request));
        let outcome = poll_fn(|cx| {
            let ended = self.poll(cx);
            match answer.as_mut().poll(cx) {
                Poll::Pending if ended => {}
                answer => return answer,
            }
            // It read the other side's end before it took the request, which comes back only as it goes.
            self.connection = None;
            answer.as_mut().poll(cx)
        })
        .await;
        outcome.map_err(|mut failure| SendFailure {
            unsent: failure.take_message(),
            heard: self.heard.load(Ordering::Relaxed),
            error: failure.into_error(),
        })
    }

    /// The connection itself and what was read past the head, after an upgrade.
    pub(crate) fn into_stream(self) -> Option<(TcpStream, Bytes)> {
        let parts = self.connection?.into_parts();
        Some((parts.io.into_inner().stream, parts.read_buf))
    }
}

/// Opens a connection within `limit`, and sets it up for small messages and peers that vanish.
pub(crate) async fn connect(address: &Address, limit: Duration) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(limit, TcpStream::connect((address.host.as_str(), address.port))).await??;
    set_up(&stream);
    Ok(stream)
}

/// No delay for small writes; probes of the peer while nothing is sent.
pub(crate) fn set_up(stream: &TcpStream) {
    // Both are improvements: a connection without them is still right.
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_keepalive(stream, true);
}

/// Notes whether anything was read.
struct Heard {
    stream: TcpStream,
    heard: Arc<AtomicBool>,
}

impl AsyncRead for Heard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.heard.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::{sleep, timeout};

    #[tokio::test]
    async fn a_request_comes_back_from_a_connection_that_ended_a_moment_ago() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::new("127.0.0.1", server.local_addr().unwrap().port());
        let limit = Duration::from_secs(20);
        let (upstream, accepted) = tokio::join!(Upstream::connect(&address, limit), server.accept());
        let (mut upstream, (mut stream, _)) = (upstream.unwrap(), accepted.unwrap());
        let request = || Request::get("/").header("host", "web").body(RequestBody::Empty).unwrap();
        let answering = async {
            let mut head = [0; 1024];
            assert!(stream.read(&mut head).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        };
        let (answer, ()) = tokio::join!(upstream.send(request()), answering);
        assert_eq!(answer.unwrap().status(), 200);
        assert!(upstream.ready().await);
        // its end comes in between
        drop(stream);
        sleep(Duration::from_millis(100)).await;
        let failure = timeout(limit, upstream.send(request())).await.expect("an answer or none").unwrap_err();
        assert!(failure.unsent.is_some() && !failure.heard, "{failure:?}");
    }
}
