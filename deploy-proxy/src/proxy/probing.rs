//! Performs a probe.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::control::{Probe, ProbeOutcome};

/// How much of an unexpected answer's body is reported, in bytes.
const QUOTED: usize = 512;

/// Looks once, within `limit`.
pub(crate) async fn probe(probe: &Probe, limit: Duration) -> ProbeOutcome {
    let start = Instant::now();
    let deadline = start + limit;
    let (address, request) = match probe {
        Probe::Tcp { address } => (address, None),
        Probe::Http { address, .. } => match request(probe) {
            Ok(request) => (address, Some(request)),
            Err(reason) => return ProbeOutcome::Invalid { reason },
        },
    };
    let stream = match timeout_at(deadline, TcpStream::connect((address.host.as_str(), address.port))).await {
        Err(_) => return ProbeOutcome::TimedOut { connected: false },
        Ok(Err(error)) => return ProbeOutcome::Refused { reason: error.to_string() },
        Ok(Ok(stream)) => stream,
    };
    let (Some(request), Probe::Http { expect, .. }) = (request, probe) else {
        return ProbeOutcome::Passed { status: None, micros: micros(start) };
    };
    match timeout_at(deadline, ask(stream, request, *expect, start)).await {
        Err(_) => ProbeOutcome::TimedOut { connected: true },
        Ok(Err(reason)) => ProbeOutcome::Broken { reason },
        Ok(Ok(outcome)) => outcome,
    }
}

fn request(probe: &Probe) -> Result<Request<Empty<Bytes>>, String> {
    let Probe::Http { address, method, path, host, headers, .. } = probe else {
        return Err("expected an HTTP probe, but found another".to_owned());
    };
    if !path.starts_with('/') {
        return Err(format!("expected a path that begins with /, but found {path:?}"));
    }
    let host = host.clone().unwrap_or_else(|| address.to_string());
    let mut request = Request::builder()
        .method(method.as_str())
        .uri(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, "deploy-proxy")
        .header(header::CONNECTION, "close");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(Empty::new()).map_err(|error| error.to_string())
}

async fn ask(
    stream: TcpStream,
    request: Request<Empty<Bytes>>,
    expect: (u16, u16),
    start: Instant,
) -> Result<ProbeOutcome, String> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let mut connection = pin!(connection);
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let micros = micros(start);
        if (expect.0..=expect.1).contains(&status) {
            return Ok(ProbeOutcome::Passed { status: Some(status), micros });
        }
        Ok(ProbeOutcome::BadStatus { status, body: beginning(response.into_body()).await, micros })
    };
    let mut exchange = pin!(exchange);
    tokio::select! {
        outcome = &mut exchange => outcome,
        // It ends when the last byte was read; the exchange then has all that it needs.
        _ = &mut connection => exchange.await,
    }
}

async fn beginning(mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < QUOTED
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(&data[..data.len().min(QUOTED - bytes.len())]);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}
