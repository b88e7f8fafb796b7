//! One request to another service, and the application's own health check.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, StatusCode, Uri, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a request to another service has no (good) answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address isn't one that can be asked.
    #[error("read the address: expected http://HOST[:PORT]/PATH, but found `{0}`; correct it")]
    Url(String),
    /// No connection.
    #[error("connect to {address}; check that the service runs and listens there")]
    Connect {
        /// Host and port.
        address: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A connection, and no answer on it.
    #[error("get an answer from {address}; look at that service's log")]
    Answer {
        /// Host and port.
        address: String,
        /// What went wrong.
        #[source]
        source: hyper::Error,
    },
    /// The service took too long.
    #[error("get an answer from {address} within {} s; look at that service's log", TIMEOUT.as_secs())]
    Timeout {
        /// Host and port.
        address: String,
    },
    /// An answer that means unhealthy.
    #[error("see {url} healthy: expected a status below 400, but found {status} ({body}); look at that service's log")]
    Unhealthy {
        /// What was asked.
        url: String,
        /// What it answered.
        status: StatusCode,
        /// The beginning of the answer's body.
        body: String,
    },
}

/// Asks `url` once, for a Compose `healthcheck` in an image that has no other executable.
///
/// # Errors
/// Whatever a health check should report as unhealthy: no answer within 10 s, or a status of 400 and above. The caller
/// turns it into exit status 1.
pub async fn healthcheck(url: &str) -> Result<(), ClientError> {
    let response = get(url).await?;
    let status = response.status();
    if status.as_u16() < 400 {
        return Ok(());
    }
    let body = String::from_utf8_lossy(response.body()).trim().chars().take(200).collect();
    Err(ClientError::Unhealthy { url: url.to_owned(), status, body })
}

/// Asks `url` once, on a connection of its own.
pub(super) async fn get(url: &str) -> Result<Response<Bytes>, ClientError> {
    let bad = || ClientError::Url(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| bad())?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(bad)?;
    let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path).header(HOST, authority.as_str()).body(Empty::<Bytes>::new()).map_err(|_| bad())?;
    timeout(TIMEOUT, exchange(&address, request)).await.map_err(|_| ClientError::Timeout { address })?
}

async fn exchange(address: &str, request: Request<Empty<Bytes>>) -> Result<Response<Bytes>, ClientError> {
    let failed = |source| ClientError::Answer { address: address.to_owned(), source };
    let stream = TcpStream::connect(address)
        .await
        .map_err(|source| ClientError::Connect { address: address.to_owned(), source })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let answer = async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    };
    // The connection is driven here, not in a task, so that a caller that gives up leaves nothing behind.
    tokio::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
    .map_err(failed)
}
