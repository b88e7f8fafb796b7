use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Where an instance listens.
///
/// The host is an IP address, or a name that is resolved anew for each connection: an instance that is started again
/// by itself may come back at another address, when nobody is there to tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// An IP address or a name.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// A port of a host.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip().to_string(), address.port())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse::<Ipv6Addr>() {
            Ok(host) => write!(f, "[{host}]:{}", self.port),
            Err(_) => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_as_in_a_url() {
        let texts = ["10.0.0.1", "::1", "5f0c"].map(|host| Address::new(host, 80).to_string());
        assert_eq!(texts, ["10.0.0.1:80", "[::1]:80", "5f0c:80"]);
    }
}
