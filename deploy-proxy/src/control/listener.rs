//! What a proxy listens on.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How the requests on a port are told apart from plain bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Protocol {
    /// Every connection carries HTTP/1 requests; each is routed by itself.
    Http,
    /// Every connection is bytes both ways, routed once. For protocols in which the server speaks first.
    Bytes,
    /// The first bytes of a connection decide: an HTTP/1 request line means HTTP, anything else (TLS, HTTP/2) bytes.
    /// While the client is silent a backend is listened to; if it speaks first, the connection is bytes.
    Detect,
}

/// Ports whose protocol lets the server speak first, so that there is nothing to detect: FTP, SSH, telnet, SMTP,
/// POP3, NNTP, IMAP, submission, MySQL, VNC.
const SERVER_FIRST: [u16; 13] = [21, 22, 23, 25, 110, 119, 143, 587, 2525, 3306, 5900, 33_060, 2222];

impl Protocol {
    /// What to use for a service's `port` of which nothing else is known.
    #[must_use]
    pub fn of_port(port: u16) -> Self {
        if SERVER_FIRST.contains(&port) { Self::Bytes } else { Self::Detect }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Bytes => "bytes",
            Self::Detect => "detect",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One port that a proxy listens on. As text: `[ADDRESS:]PORT[:BACKEND_PORT][:PROTOCOL]`, like `8080`, `8080:http`,
/// `80:3000:detect` or `127.0.0.1:8080:3000:bytes`; an IPv6 address stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ListenerSpec {
    /// The local address; all of them where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The port to listen on. 0 takes a free one.
    pub port: u16,
    /// The service's own port, to which requests are sent (see [`Backend::ports`](super::Backend::ports)).
    pub backend_port: u16,
    /// How requests are told apart.
    pub protocol: Protocol,
}

impl ListenerSpec {
    /// The addresses to try in order: the one given, or all of both families, or all of IPv4 where the host has no
    /// IPv6.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        match self.address {
            Some(address) => vec![SocketAddr::new(address, self.port)],
            None => vec![
                SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), self.port),
                SocketAddr::from(([0, 0, 0, 0], self.port)),
            ],
        }
    }
}

/// Why a text isn't a listener.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "expected [ADDRESS:]PORT[:BACKEND_PORT][:http|bytes|detect], but found {found:?}; write for example 80:3000:http"
)]
pub struct BadListener {
    /// The text.
    pub found: String,
}

impl FromStr for ListenerSpec {
    type Err = BadListener;

    fn from_str(text: &str) -> Result<Self, BadListener> {
        let parsed = || {
            let (address, rest) = split_address(text)?;
            let mut parts = rest.split(':').peekable();
            let port = parts.next()?.parse().ok()?;
            let own = match parts.peek().map(|part| part.parse()) {
                Some(Ok(port)) => {
                    parts.next();
                    Some(port)
                }
                _ => None,
            };
            let backend_port = own.unwrap_or(port);
            if backend_port == 0 {
                return None;
            }
            let protocol = match parts.next() {
                None => Protocol::of_port(backend_port),
                Some(name) => [Protocol::Http, Protocol::Bytes, Protocol::Detect]
                    .into_iter()
                    .find(|known| known.name() == name)?,
            };
            parts.next().is_none().then_some(Self { address, port, backend_port, protocol })
        };
        parsed().ok_or_else(|| BadListener { found: text.to_owned() })
    }
}

fn split_address(text: &str) -> Option<(Option<IpAddr>, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once("]:")?;
        return Some((Some(IpAddr::V6(address.parse().ok()?)), rest));
    }
    match text.split_once(':') {
        Some((address, rest)) if address.contains('.') => Some((Some(address.parse().ok()?), rest)),
        _ => Some((None, text)),
    }
}

impl fmt::Display for ListenerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:")?,
            Some(IpAddr::V4(address)) => write!(f, "{address}:")?,
            None => {}
        }
        write!(f, "{}:{}:{}", self.port, self.backend_port, self.protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_forms_mean_the_long_one() {
        for (text, long) in [
            ("8080", "8080:8080:detect"),
            ("8080:http", "8080:8080:http"),
            ("25", "25:25:bytes"),
            ("80:3306", "80:3306:bytes"),
            ("80:3000:detect", "80:3000:detect"),
            ("0:3000", "0:3000:detect"),
            ("127.0.0.1:80:3000:bytes", "127.0.0.1:80:3000:bytes"),
            ("[::1]:80", "[::1]:80:80:detect"),
        ] {
            let spec: ListenerSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), long);
            assert_eq!(long.parse(), Ok(spec));
        }
    }

    #[test]
    fn what_is_no_listener_is_refused() {
        for text in ["", "http", "80:https", "80:1:http:2", "0", "80:0", "70000", "::1:80", "[::1]80", "1.2.3:80"] {
            assert_eq!(text.parse::<ListenerSpec>(), Err(BadListener { found: text.into() }));
        }
    }
}
