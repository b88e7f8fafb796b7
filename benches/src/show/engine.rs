//! The Engine's API, as far as it is needed here.

use super::ShowError;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming, client::conn::http1::handshake, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::path::PathBuf;
use tokio::net::UnixStream;

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// A Docker Engine, spoken to directly, so that what is shown doesn't rest on the product's own eyes.
#[derive(Clone, Debug)]
pub struct Engine {
    socket: PathBuf,
}

impl Engine {
    /// The Engine that DOCKER_HOST names, which must be a Unix socket.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn from_env() -> Result<Self, ShowError> {
        let Some(host) = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) else {
            return Ok(Self { socket: DEFAULT_SOCKET.into() });
        };
        match host.strip_prefix("unix://") {
            Some(path) => Ok(Self { socket: path.into() }),
            None => Err(ShowError::Unexpected {
                what: "read DOCKER_HOST".into(),
                expected: "unix://PATH of an Engine on this machine".into(),
                found: host,
            }),
        }
    }

    /// A call without a body.
    ///
    /// # Errors
    /// No answer, or a status of 400 and above.
    pub async fn call(&self, method: Method, path: &str) -> Result<Value, ShowError> {
        self.json(method, path, "application/json", Bytes::new()).await
    }

    /// A call with a JSON body.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ShowError> {
        self.json(Method::POST, path, "application/json", body.to_string().into()).await
    }

    /// A call with a tar archive as its body. Answers that come as several JSON objects give the last one.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn post_tar(&self, path: &str, tar: Vec<u8>) -> Result<Value, ShowError> {
        self.json(Method::POST, path, "application/x-tar", tar.into()).await
    }

    /// What a container wrote to its standard output.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn stdout(&self, container: &str) -> Result<String, ShowError> {
        let path = format!("/containers/{container}/logs?stdout=1");
        Ok(demultiplexed(&self.send(Method::GET, &path, "text/plain", Bytes::new()).await?))
    }

    async fn json(&self, method: Method, path: &str, kind: &str, body: Bytes) -> Result<Value, ShowError> {
        let answer = self.send(method, path, kind, body).await?;
        let text = String::from_utf8_lossy(&answer);
        Ok(text.lines().rev().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_default())
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: Bytes) -> Result<Bytes, ShowError> {
        let what = format!("{method} {}", path.split('?').next().unwrap_or(path));
        let failed =
            |source: Box<dyn std::error::Error + Send + Sync>| ShowError::Answer { what: what.clone(), source };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "engine")
            .header(header::CONTENT_TYPE, kind)
            .body(Full::new(body))
            .map_err(|error| failed(error.into()))?;
        let response = self.exchange(request).await.map_err(failed)?;
        let status = response.status();
        let answer = response.into_body().collect().await.map_err(|error| failed(error.into()))?.to_bytes();
        if status.as_u16() < 400 {
            return Ok(answer);
        }
        let said = serde_json::from_slice::<Value>(&answer).ok();
        let message = said.as_ref().and_then(|said| said["message"].as_str()).unwrap_or_default().to_owned();
        Err(ShowError::Engine { what, status: status.as_u16(), message })
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
        let stream = UnixStream::connect(&self.socket).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?)
    }
}

/// Takes the Engine's 8-byte headers out of a log of several streams.
fn demultiplexed(mut log: &[u8]) -> String {
    let mut text = Vec::new();
    while let Some((head, rest)) = log.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let (part, rest) = rest.split_at(length.min(rest.len()));
        text.extend_from_slice(part);
        log = rest;
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// A query's value with what isn't a letter, a digit, `-`, `_` or `.` as percent signs and digits.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_across_its_frames() {
        let mut log = vec![1, 0, 0, 0, 0, 0, 0, 3];
        log.extend(b"one");
        log.extend([1, 0, 0, 0, 0, 0, 0, 4]);
        log.extend(b"\ntwo");
        assert_eq!(demultiplexed(&log), "one\ntwo");
    }

    #[test]
    fn a_query_is_encoded() {
        assert_eq!(encoded("CMD [\"a\"]"), "CMD%20%5B%22a%22%5D");
    }
}
