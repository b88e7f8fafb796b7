//! Bodies on their way through: frame by frame, never collected.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::oneshot;

use super::backend::InFlight;
use super::upstream::Upstream;

/// What a client sends.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// Nothing, so that the request can be sent again.
    Empty,
    /// Whatever comes, as it comes.
    Client {
        incoming: Incoming,
        /// Told when all of it was sent.
        sent: Option<oneshot::Sender<()>>,
    },
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self::Client { incoming, sent } = &mut *self else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(&mut *incoming).poll_frame(cx));
        if (frame.is_none() || incoming.is_end_stream())
            && let Some(sent) = sent.take()
        {
            // Nobody waits for it where the answer came first.
            let _ = sent.send(());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Client { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client { incoming, .. } => incoming.size_hint(),
        }
    }
}

/// What a client is answered.
#[derive(Debug)]
pub(crate) enum ResponseBody {
    /// Something of our own.
    Own(Bytes),
    /// What an instance sends.
    Instance(Streaming),
}

/// An instance's answer on its way, together with the connection that it comes from.
///
/// When its last byte was taken, the connection goes back to the pool, and only then the request stops counting as in
/// flight; dropped earlier, the connection is closed first.
#[derive(Debug)]
pub(crate) struct Streaming {
    incoming: Incoming,
    // Declared, and so dropped, before the count.
    upstream: Option<Box<Upstream>>,
    in_flight: Option<InFlight>,
}

impl Streaming {
    pub(crate) fn new(incoming: Incoming, upstream: Box<Upstream>, in_flight: InFlight) -> Self {
        Self { incoming, upstream: Some(upstream), in_flight: Some(in_flight) }
    }

    /// Gives the connection back if it can be used again.
    pub(crate) fn finish(&mut self, cx: &mut Context<'_>) {
        let in_flight = self.in_flight.take();
        if let Some(mut upstream) = self.upstream.take()
            && let Some(in_flight) = &in_flight
            && upstream.poll_ready(cx)
        {
            in_flight.backend().pool.put(upstream);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(upstream) = &mut self.upstream {
            upstream.poll(cx);
        }
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        match &frame {
            Some(Ok(_)) if !self.incoming.is_end_stream() => {}
            Some(Ok(_)) | None => self.finish(cx),
            Some(Err(_)) => {
                self.upstream = None;
                self.in_flight = None;
            }
        }
        Poll::Ready(frame)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Own(text) if text.is_empty() => Poll::Ready(None),
            Self::Own(text) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
            Self::Instance(streaming) => streaming.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(text) => text.is_empty(),
            Self::Instance(streaming) => streaming.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(text) => SizeHint::with_exact(text.len() as u64),
            Self::Instance(streaming) => streaming.incoming.size_hint(),
        }
    }
}
