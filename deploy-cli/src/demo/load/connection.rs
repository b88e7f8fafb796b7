//! One connection to the service, and one request on it at a time.

use std::{io, net::TcpStream as StdTcpStream, os::fd::AsFd};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, Version,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header::{CONNECTION, HeaderMap},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpStream, lookup_host},
    task::spawn_local,
};
use tokio_util::task::AbortOnDropHandle;

use super::{Loss, config::Endpoint};
use crate::demo::app::VERSION_HEADER;

/// A request as it is sent.
pub(super) type Outgoing = Request<Full<Bytes>>;

/// A complete answer, good or not.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) version: Option<String>,
    pub(super) body: Bytes,
    /// Whether the connection may be used again.
    pub(super) keep: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing of the request was sent, because the connection was closed before. The request comes back.
    Unsent(Box<Outgoing>),
    /// The request was sent, and is lost.
    Lost(Loss),
}

/// An open connection. Dropped, it is closed, and a request on it is given up.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// The same socket once more, to see what the runtime hasn't noticed yet.
    socket: StdTcpStream,
    /// Reads and writes; ends with this.
    _driver: AbortOnDropHandle<()>,
}

impl Connection {
    /// Connects to the first of the host's addresses that accepts.
    pub(super) async fn open(endpoint: &Endpoint) -> Result<Self, Loss> {
        let stream = connect(endpoint).await?;
        let socket = stream.as_fd().try_clone_to_owned().map_err(|error| Loss::of_connect(&error))?.into();
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| Loss::of_answer(&error))?;
        let driver = spawn_local(async move {
            // Errors reach the request that they concern.
            let _ = driver.await;
        });
        Ok(Self { sender, socket, _driver: AbortOnDropHandle::new(driver) })
    }

    /// Whether nothing came from the other side since the last answer: no close, no reset, no unasked bytes.
    ///
    /// Asks the system, not the runtime, so that a close is seen as soon as it can be.
    pub(super) fn is_fresh(&self) -> bool {
        let nothing_there = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        self.sender.is_ready() && self.socket.peek(&mut [0]).is_err_and(nothing_there)
    }

    /// Completes when the next request can be sent; false when there can't be one.
    pub(super) async fn ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends the request and waits for all of its answer.
    pub(super) async fn exchange(&mut self, request: Outgoing) -> Result<Answer, Failure> {
        match self.sender.try_send_request(request).await {
            Ok(response) => read(response).await.map_err(Failure::Lost),
            Err(mut error) => Err(match error.take_message() {
                Some(request) => Failure::Unsent(Box::new(request)),
                None => Failure::Lost(Loss::of_answer(error.error())),
            }),
        }
    }
}

async fn connect(endpoint: &Endpoint) -> Result<TcpStream, Loss> {
    let addresses = lookup_host((endpoint.host.as_str(), endpoint.port)).await.map_err(|_| Loss::Resolve)?;
    let mut loss = Loss::Resolve;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(|error| Loss::of_connect(&error))?;
                return Ok(stream);
            }
            Err(error) => loss = Loss::of_connect(&error),
        }
    }
    Err(loss)
}

async fn read(response: Response<Incoming>) -> Result<Answer, Loss> {
    let (head, body) = response.into_parts();
    let status = head.status.as_u16();
    // Of an error answer the status says more than a body that is cut off.
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) if status >= 400 => return Err(Loss::Status(status)),
        Err(_) => return Err(Loss::ShortBody),
    };
    let version = head.headers.get(VERSION_HEADER).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let keep = head.version >= Version::HTTP_11 && !says_close(&head.headers);
    Ok(Answer { status, version, body, keep })
}

fn says_close(headers: &HeaderMap) -> bool {
    let tokens = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    tokens.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case("close"))
}
