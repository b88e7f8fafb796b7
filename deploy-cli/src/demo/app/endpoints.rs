//! What the application answers.

use std::{
    convert::Infallible,
    fmt::Write as _,
    future::pending,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, header::HeaderValue};
use tokio::time::{Instant, sleep};

use super::{Fault, Settings, VERSION_HEADER, client};

type Body = Either<Full<Bytes>, Incoming>;

/// Answers requests as the settings say.
pub(super) struct Endpoints {
    settings: Settings,
    since: Instant,
    /// Requests so far that may fail by the error rate.
    counted: AtomicU64,
}

impl Endpoints {
    /// Times of faults count from now.
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, since: Instant::now(), counted: AtomicU64::new(0) }
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        if self.settings.fault == Some(Fault::Hang) {
            pending::<()>().await;
        }
        let mut response = match request.uri().path() {
            "/healthz" => self.health(),
            _ => self.counted(request).await,
        };
        if let Ok(version) = HeaderValue::from_str(&self.settings.version) {
            // What `/fetch` passes on carries the version of the service that answered it.
            response.headers_mut().entry(VERSION_HEADER).or_insert(version);
        }
        Ok(response)
    }

    fn health(&self) -> Response<Body> {
        let unhealthy = match self.settings.fault {
            Some(Fault::Unhealthy) => true,
            Some(Fault::UnhealthyAfter(time)) => self.since.elapsed() >= time,
            _ => false,
        };
        if unhealthy { text(StatusCode::INTERNAL_SERVER_ERROR, "unhealthy\n") } else { text(StatusCode::OK, "ok\n") }
    }

    async fn counted(&self, request: Request<Incoming>) -> Response<Body> {
        let number = self.counted.fetch_add(1, Ordering::Relaxed);
        if !self.settings.latency.is_zero() {
            sleep(self.settings.latency).await;
        }
        if self.settings.error_rate.fails(number) {
            return text(StatusCode::INTERNAL_SERVER_ERROR, "failed on purpose\n");
        }
        match request.uri().path() {
            "/" => self.version(),
            "/slow" => self.slow(&request).await,
            "/echo" => Response::new(Either::Right(request.into_body())),
            "/headers" => headers(&request),
            "/fetch" => fetch(&request).await,
            _ => text(StatusCode::NOT_FOUND, "no such page\n"),
        }
    }

    fn version(&self) -> Response<Body> {
        text(StatusCode::OK, format!("{}\n", self.settings.version))
    }

    async fn slow(&self, request: &Request<Incoming>) -> Response<Body> {
        match query(request, "ms=").and_then(|ms| ms.parse().ok()) {
            Some(ms) => {
                sleep(Duration::from_millis(ms)).await;
                self.version()
            }
            None => text(StatusCode::BAD_REQUEST, "expected /slow?ms=MILLISECONDS\n"),
        }
    }
}

fn headers(request: &Request<Incoming>) -> Response<Body> {
    let mut lines = format!("{} {} {:?}\n", request.method(), request.uri(), request.version());
    for (name, value) in request.headers() {
        // Writing to a string doesn't fail.
        let _ = writeln!(lines, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    text(StatusCode::OK, lines)
}

async fn fetch(request: &Request<Incoming>) -> Response<Body> {
    let Some(url) = query(request, "url=") else {
        return text(StatusCode::BAD_REQUEST, "expected /fetch?url=http://HOST:PORT/PATH\n");
    };
    match client::get(url).await {
        Ok(fetched) => {
            let mut response = text(fetched.status(), fetched.body().clone());
            if let Some(version) = fetched.headers().get(VERSION_HEADER) {
                response.headers_mut().insert(VERSION_HEADER, version.clone());
            }
            response
        }
        Err(error) => text(StatusCode::BAD_GATEWAY, format!("failed to {error}\n")),
    }
}

fn query<'a>(request: &'a Request<Incoming>, key: &str) -> Option<&'a str> {
    request.uri().query()?.strip_prefix(key)
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    *response.status_mut() = status;
    response
}
