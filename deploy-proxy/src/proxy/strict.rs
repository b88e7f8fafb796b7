//! A client's connection whose incoming bytes pass the [`Scanner`].

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::scan::{Scanned, Scanner};

/// Lets through what is framed in one way only, and ends the stream at anything else.
#[derive(Debug)]
pub(crate) struct Strict {
    stream: TcpStream,
    scanner: Scanner,
    /// Set once the connection was upgraded: from then on it isn't HTTP.
    upgraded: Arc<AtomicBool>,
    /// How long a head may take from its first byte to its last, and the time that one has which didn't come at once.
    head_limit: Duration,
    slow_head: Option<Pin<Box<Sleep>>>,
    /// What is left of the poison.
    poison: &'static [u8],
    /// Runs while what the client still sends is thrown away.
    lingers: Option<Pin<Box<Sleep>>>,
}

/// A NUL is allowed nowhere in a head, so hyper answers 400; nor where a chunk's size or end belongs. hyper looks at a head
/// again only once it sees an empty line.
const POISON: &[u8] = b"\0\r\n\r\n";

/// How long a client that still sends its request has to read an answer that came early. Were the connection closed with
/// something unread, the system would reset it, and the client might lose the answer.
const LINGER: Duration = Duration::from_secs(2);

impl Strict {
    pub(crate) fn new(stream: TcpStream, upgraded: Arc<AtomicBool>, head_limit: Duration) -> Self {
        let scanner = Scanner::new();
        Self { stream, scanner, upgraded, head_limit, slow_head: None, poison: POISON, lingers: None }
    }

    /// Waits for more, and not for ever where a head is incomplete.
    fn poll_slow_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.scanner.in_head() || self.upgraded.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let limit = self.head_limit;
        let slow = self.slow_head.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(slow.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Appends what is left of the poison, after which the stream ends.
    fn poison(&mut self, buf: &mut ReadBuf<'_>) {
        let (now, later) = self.poison.split_at(self.poison.len().min(buf.remaining()));
        buf.put_slice(now);
        self.poison = later;
    }

    /// The connection itself, for after an upgrade.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

impl AsyncRead for Strict {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.scanner.poisoned() {
            self.poison(buf);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        if Pin::new(&mut self.stream).poll_read(cx, buf)?.is_pending() {
            return self.poll_slow_head(cx);
        }
        if !self.upgraded.load(Ordering::Relaxed)
            && let Scanned::Poison(at) = self.scanner.scan(&buf.filled()[before..])
        {
            buf.set_filled(before + at);
            self.poison(buf);
        }
        if !self.scanner.in_head() {
            self.slow_head = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Strict {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let linger = match &mut self.lingers {
            Some(linger) => linger,
            None => {
                ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
                if self.scanner.between_requests() {
                    return Poll::Ready(Ok(()));
                }
                self.lingers.insert(Box::pin(sleep(LINGER)))
            }
        };
        if linger.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut waste = [0; 4096];
        loop {
            let mut waste = ReadBuf::new(&mut waste);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut waste));
            if read.is_err() || waste.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
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
