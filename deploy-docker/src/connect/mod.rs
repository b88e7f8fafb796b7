//! Finding the Engine and speaking to it.

mod context;
mod error;
mod options;
mod ssh;

pub use error::ConnectError;
pub use options::ConnectOptions;
pub use ssh::SshError;

use bollard::{API_DEFAULT_VERSION, Docker, errors::Error};
use context::{Endpoint, endpoint};
use ssh::Destination;
use std::{io, time::Duration};

/// How long an ordinary call to the Engine may take, in seconds.
const CALL_SECONDS: u64 = 60;
/// How long the first answer may take.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// The oldest Engine API that is spoken: that of Engine 20.10.
const OLDEST_API: (u32, u32) = (1, 41);

/// A connection to an Engine that has answered.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// The client.
    pub(crate) docker: Docker,
    /// The Engine's address, for people.
    pub(crate) address: String,
    /// What the Engine runs on: `linux/amd64`.
    pub(crate) platform: String,
    /// The newest API that it speaks.
    pub(crate) api: (u32, u32),
    /// `DOCKER_BUILDKIT`, as it was read.
    pub(crate) docker_buildkit: Option<String>,
    endpoint: Endpoint,
}

impl Connection {
    /// Finds the Engine as the `docker` command does, and asks for its version.
    pub(crate) async fn open(options: &ConnectOptions) -> Result<Self, ConnectError> {
        let endpoint = endpoint(options)?;
        let docker = client(&endpoint)?;
        let failed = |source: bollard::errors::Error| ConnectError::from_engine(&endpoint, source);
        let patience = if endpoint.is_ssh() { ssh::CONNECTED_BY + FIRST_ANSWER } else { FIRST_ANSWER };
        let version = match tokio::time::timeout(patience, docker.version()).await {
            Ok(answer) => answer.map_err(failed)?,
            Err(_) => return Err(ConnectError::Silent { address: endpoint.url, seconds: patience.as_secs() }),
        };
        let api = version.api_version.unwrap_or_default();
        let Some(api) = parse_version(&api).filter(|found| *found >= OLDEST_API) else {
            return Err(ConnectError::TooOld { address: endpoint.url, found: api });
        };
        let platform = format!("{}/{}", version.os.unwrap_or_default(), version.arch.unwrap_or_default());
        let (address, docker_buildkit) = (endpoint.url.clone(), options.docker_buildkit.clone());
        Ok(Self { docker, address, platform, api, docker_buildkit, endpoint })
    }

    /// A client that waits so much longer than usual for its answers.
    pub(crate) fn patient(&self, longer: Duration) -> Docker {
        self.docker.clone().with_timeout(self.docker.timeout() + longer)
    }

    /// A further client of the same Engine, with connections of its own.
    pub(crate) fn another(&self) -> Result<Docker, Error> {
        client(&self.endpoint).map_err(|error| Error::from(io::Error::other(error)))
    }
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A client for that kind of address; it connects when it is first used.
///
/// It sends no version in its paths (bollard 0.21 drops it), so each Engine answers in its own.
fn client(endpoint: &Endpoint) -> Result<Docker, ConnectError> {
    let (url, named_by) = (endpoint.url.as_str(), || endpoint.source.clone());
    let made = match (url.split_once("://").map(|(scheme, _)| scheme), &endpoint.tls) {
        (Some("unix"), _) => Docker::connect_with_unix(url, CALL_SECONDS, API_DEFAULT_VERSION),
        (Some("ssh"), _) => {
            let destination = Destination::parse(url);
            let invalid = |found| ConnectError::SshAddress { found, named_by: named_by() };
            ssh::client(destination.map_err(invalid)?, CALL_SECONDS)
        }
        (Some("tcp" | "http" | "https"), Some(tls)) => {
            let file = |name: &str| tls.join(name);
            let (key, cert, ca) = (file("key.pem"), file("cert.pem"), file("ca.pem"));
            Docker::connect_with_ssl(url, &key, &cert, &ca, CALL_SECONDS, API_DEFAULT_VERSION)
        }
        (Some("tcp" | "http"), None) => Docker::connect_with_http(url, CALL_SECONDS, API_DEFAULT_VERSION),
        _ => return Err(ConnectError::Address { address: url.into(), named_by: named_by() }),
    };
    made.map_err(|error| ConnectError::from_engine(endpoint, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Connects to something that answers every request with this.
    async fn answered(status: &str, body: &str) -> Result<Connection, ConnectError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(text.as_bytes()).await;
            }
        });
        let options = ConnectOptions { host: Some(format!("unix://{}", path.display())), ..Default::default() };
        let connected = Connection::open(&options).await;
        server.abort();
        connected
    }

    #[tokio::test]
    async fn an_engine_tells_its_version_and_platform() {
        let found = answered("200 OK", r#"{"ApiVersion":"1.41","Os":"linux","Arch":"arm64"}"#).await.unwrap();
        assert_eq!((found.platform.as_str(), found.api), ("linux/arm64", (1, 41)));
    }

    #[tokio::test]
    async fn what_is_no_engine_of_ours_is_told_apart() {
        let old = answered("200 OK", r#"{"ApiVersion":"1.40","Os":"linux","Arch":"amd64"}"#).await.unwrap_err();
        assert!(matches!(old, ConnectError::TooOld { found, .. } if found == "1.40"));
        let other = answered("200 OK", "<html>").await.unwrap_err();
        assert!(matches!(other, ConnectError::NotUnderstood { .. }), "{other:?}");
        let refused = answered("403 Forbidden", r#"{"message":"no"}"#).await.unwrap_err();
        assert!(matches!(refused, ConnectError::NotUnderstood { .. }), "{refused:?}");
        let options = ConnectOptions { host: Some("unix:///nowhere.sock".into()), ..Default::default() };
        let missing = Connection::open(&options).await.unwrap_err();
        assert!(matches!(missing, ConnectError::NotThere { .. }), "{missing:?}");
        let options = ConnectOptions { host: Some("ssh://me:secret@host".into()), ..Default::default() };
        let secret = Connection::open(&options).await.unwrap_err();
        assert!(matches!(secret, ConnectError::SshAddress { .. }) && !secret.to_string().contains("secret"));
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(parse_version("1.41"), Some((1, 41)));
        assert!(parse_version("1.9").is_some_and(|found| found < OLDEST_API));
        assert_eq!(parse_version("newest"), None);
    }
}
