//! One client's HTTP/1 connection: each request is routed by itself.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::http::request;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::backend::{Backend, InFlight};
use super::body::{RequestBody, ResponseBody, Streaming};
use super::headers::{self, BadRequest};
use super::serving::Serving;
use super::strict::Strict;
use super::tunnel;
use super::upstream::{SendFailure, Upstream};

/// What the requests of one connection share.
struct Client {
    serving: Arc<Serving>,
    address: IpAddr,
    backend_port: u16,
    upgraded: Arc<AtomicBool>,
}

/// Serves one connection until the client leaves, is idle for too long, or the proxy closes.
pub(crate) async fn serve(serving: Arc<Serving>, stream: TcpStream, address: IpAddr, backend_port: u16) {
    let upgraded = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Strict::new(stream, Arc::clone(&upgraded), serving.timeouts().head));
    let closing = serving.closing();
    let timeouts = serving.timeouts();
    let client = Arc::new(Client { serving: Arc::clone(&serving), address, backend_port, upgraded });
    let service = service_fn(move |request| {
        let client = Arc::clone(&client);
        async move { Ok::<_, Infallible>(client.answer(request).await) }
    });
    let connection = Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.client_idle)
        .serve_connection(io, service)
        .with_upgrades();
    let (mut connection, mut closed, mut cut) = (pin!(connection), pin!(closing.wait()), pin!(closing.grace_over()));
    let (mut waits, mut told) = (false, false);
    let ended = poll_fn(|cx| {
        // Registered once, as a task's waker stays the same; after that, looking costs one load.
        let closes = if waits { closing.is_closed() } else { closed.as_mut().poll(cx).is_ready() };
        waits = true;
        if closes && !told {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        if told && cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        connection.as_mut().poll(cx)
    });
    // An error is the client's: it left, or sent what isn't HTTP and has been answered.
    drop(ended.await);
}

/// What became of one try.
enum Tried {
    Answered(Response<ResponseBody>),
    /// Nothing of the request was sent, or a connection that had been idle ended without an answer to one that may be
    /// repeated.
    Again(Request<RequestBody>),
}

impl Client {
    async fn answer(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        let (mut parts, incoming) = request.into_parts();
        let wants_upgrade = match headers::prepare_request(&mut parts, self.address) {
            Ok(wants_upgrade) => wants_upgrade,
            Err(bad) => return refuse(bad),
        };
        let upgrade = parts.extensions.remove::<OnUpgrade>().filter(|_| wants_upgrade);
        let timeout = self.serving.timeouts().response_header;
        let (body, sent) = if incoming.is_end_stream() {
            (RequestBody::Empty, None)
        } else if timeout.is_some() {
            let (sent, all_sent) = oneshot::channel();
            (RequestBody::Client { incoming, sent: Some(sent) }, Some(all_sent))
        } else {
            (RequestBody::Client { incoming, sent: None }, None)
        };
        let exchange = self.exchange(Request::from_parts(parts, body), upgrade);
        let Some(timeout) = timeout else { return exchange.await };
        let too_late = async {
            if let Some(sent) = sent {
                // Fails when the exchange is over, which is then what is looked at.
                drop(sent.await);
            }
            tokio::time::sleep(timeout).await;
        };
        tokio::select! {
            biased;
            response = exchange => response,
            () = too_late => own(StatusCode::GATEWAY_TIMEOUT, "the service took too long to answer"),
        }
    }

    /// Sends the request to an instance, and again where that can't do harm: on a new connection in place of one that had
    /// been idle, and once to another instance.
    async fn exchange(
        &self,
        mut request: Request<RequestBody>,
        mut upgrade: Option<OnUpgrade>,
    ) -> Response<ResponseBody> {
        let mut failed: Option<Arc<Backend>> = None;
        let mut fresh = false;
        loop {
            let Some(in_flight) = self.serving.enter_in_time(failed.as_ref()).await else {
                return unavailable();
            };
            let backend = Arc::clone(in_flight.backend());
            let upstream = match self.obtain(&backend, fresh).await {
                Ok(upstream) => upstream,
                Err(_) if failed.is_some() => return bad_gateway(),
                Err(_) => {
                    failed = Some(backend);
                    continue;
                }
            };
            let reused = upstream.reused();
            request = match self.send(upstream, in_flight, request, &mut upgrade).await {
                Tried::Answered(response) => return response,
                Tried::Again(request) => request,
            };
            if !reused {
                // Accepted and closed at once is as good as refused.
                if failed.is_some() {
                    return bad_gateway();
                }
                failed = Some(backend);
            }
            fresh = true;
        }
    }

    /// An idle connection that is still alive, or a new one.
    async fn obtain(&self, backend: &Arc<Backend>, fresh: bool) -> std::io::Result<Box<Upstream>> {
        let timeouts = self.serving.timeouts();
        let port = backend.spec().port(self.backend_port);
        if !fresh {
            while let Some(mut idle) = backend.pool.take(port, timeouts.upstream_idle) {
                if idle.ready().await {
                    return Ok(idle);
                }
            }
        }
        let connected = Upstream::connect(&backend.address(self.backend_port), timeouts.connect).await;
        backend.connected(connected.is_ok());
        connected
    }

    async fn send(
        &self,
        mut upstream: Box<Upstream>,
        in_flight: InFlight,
        mut request: Request<RequestBody>,
        upgrade: &mut Option<OnUpgrade>,
    ) -> Tried {
        if !request.headers().contains_key(header::HOST) {
            // From HTTP/1.0, which knows none; the instance is spoken to in 1.1.
            if let Ok(host) = HeaderValue::from_str(&upstream.address().to_string()) {
                request.headers_mut().insert(header::HOST, host);
            }
        }
        let spare = (upstream.reused() && is_repeatable(&request)).then(|| copy(&request));
        match upstream.send(request).await {
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                Tried::Answered(self.switch(response, upstream, in_flight, upgrade.take()))
            }
            Ok(response) => Tried::Answered(pass_on(response, upstream, in_flight).await),
            Err(SendFailure { unsent: Some(request), .. }) => Tried::Again(request),
            Err(failure) => match spare {
                Some(spare) if !failure.heard => Tried::Again(spare),
                // The client's body broke off or made no sense.
                _ if failure.error.is_user() => {
                    Tried::Answered(own(StatusCode::BAD_REQUEST, "the request's body broke off"))
                }
                _ => Tried::Answered(bad_gateway()),
            },
        }
    }

    /// Connects both sides after an instance agreed to another protocol.
    fn switch(
        &self,
        response: Response<Incoming>,
        upstream: Box<Upstream>,
        in_flight: InFlight,
        upgrade: Option<OnUpgrade>,
    ) -> Response<ResponseBody> {
        let Some(upgrade) = upgrade else { return bad_gateway() };
        self.upgraded.store(true, Ordering::Relaxed);
        let in_flight = in_flight.long_lived();
        let serving = Arc::clone(&self.serving);
        self.serving.connections().spawn(async move {
            let Ok(upgraded) = upgrade.await else { return };
            let Ok(client) = upgraded.downcast::<TokioIo<Strict>>() else { return };
            let Some((stream, read)) = upstream.into_stream() else { return };
            let client = tunnel::End { stream: client.io.into_inner().into_stream(), read: client.read_buf };
            tunnel::run(client, tunnel::End { stream, read }, in_flight, serving.closing()).await;
        });
        let (mut parts, _) = response.into_parts();
        headers::prepare_response(&mut parts.headers, true);
        Response::from_parts(parts, ResponseBody::Own(Bytes::new()))
    }
}

async fn pass_on(response: Response<Incoming>, upstream: Box<Upstream>, in_flight: InFlight) -> Response<ResponseBody> {
    let (mut parts, incoming) = response.into_parts();
    headers::prepare_response(&mut parts.headers, false);
    parts.version = hyper::Version::HTTP_11;
    // Otherwise hyper takes the client's connection to be up for an upgrade.
    parts.extensions.remove::<OnUpgrade>();
    let empty = incoming.is_end_stream();
    let mut streaming = Streaming::new(incoming, upstream, in_flight);
    if empty {
        // hyper won't ask for a body that is known to be empty.
        poll_fn(|cx| {
            streaming.finish(cx);
            Poll::Ready(())
        })
        .await;
        return Response::from_parts(parts, ResponseBody::Own(Bytes::new()));
    }
    Response::from_parts(parts, ResponseBody::Instance(streaming))
}

/// Whether sending the request twice does what sending it once does, and it can be sent twice.
fn is_repeatable(request: &Request<RequestBody>) -> bool {
    let idempotent = [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE, Method::TRACE];
    matches!(request.body(), RequestBody::Empty) && idempotent.contains(request.method())
}

fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let (mut parts, ()) = Request::new(()).into_parts();
    let request::Parts { method, uri, headers, version, .. } = &mut parts;
    method.clone_from(request.method());
    uri.clone_from(request.uri());
    headers.clone_from(request.headers());
    *version = request.version();
    Request::from_parts(parts, RequestBody::Empty)
}

fn refuse(bad: BadRequest) -> Response<ResponseBody> {
    let status = if bad == BadRequest::Connect { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::BAD_REQUEST };
    let mut response = own(status, &bad.to_string());
    // Whoever sends such requests may mean something else by their ends too.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn unavailable() -> Response<ResponseBody> {
    let mut response = own(StatusCode::SERVICE_UNAVAILABLE, "no instance of this service is ready");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn bad_gateway() -> Response<ResponseBody> {
    own(StatusCode::BAD_GATEWAY, "the service did not answer")
}

fn own(status: StatusCode, text: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Own(Bytes::from(format!("{text}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
