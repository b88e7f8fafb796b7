//! Published and exposed ports.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    net::IpAddr,
};

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::{node::Value, read::At, scalar::Scalar};

/// A port of the container that is reachable on the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port {
    /// The port inside the container.
    pub target: u16,
    /// The host's port, or a range from which the Engine takes a free one; `None` is any free one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub published: Option<PortRange>,
    /// The host's address; `None` is every one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub host_ip: Option<IpAddr>,
    /// The transport protocol.
    #[serde(default, skip_serializing_if = "is_default")]
    pub protocol: Protocol,
    /// What is spoken over it, such as `http`, where the file says so.
    #[serde(default, skip_serializing_if = "is_default")]
    pub app_protocol: Option<String>,
    /// A name for people.
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: Option<String>,
}

/// A port that other containers may use; nothing is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExposedPort {
    /// The port inside the container.
    pub port: u16,
    /// The transport protocol.
    #[serde(default, skip_serializing_if = "is_default")]
    pub protocol: Protocol,
}

/// Ports from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortRange {
    /// The first port.
    pub first: u16,
    /// The last port, not below the first.
    pub last: u16,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.single() {
            Some(port) => write!(f, "{port}"),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl PortRange {
    /// The one port of a range of one.
    #[must_use]
    pub fn single(self) -> Option<u16> {
        (self.first == self.last).then_some(self.first)
    }

    /// How many ports it has.
    #[must_use]
    pub fn count(self) -> u32 {
        u32::from(self.last) - u32::from(self.first) + 1
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        let range = Self { first: port(first)?, last: port(last)? };
        (range.first <= range.last).then_some(range)
    }
}

const SHORT: &str = "a port such as 80, 8080:80, 127.0.0.1:8080:80/tcp or 3000-3005:3000-3005";
const PORT: &str = "a port from 1 to 65535";

impl Protocol {
    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Some(Self::Tcp),
            "udp" => Some(Self::Udp),
            "sctp" => Some(Self::Sctp),
            _ => None,
        }
    }
}

impl Port {
    /// The ports of a service; ranges become one entry a port. Where two mean the same, the later one stands.
    pub(crate) fn read_all(at: &At<'_>) -> Vec<Self> {
        let mut ports: Vec<Self> = Vec::new();
        let mut indices = HashMap::new();
        for at in at.items() {
            let read = if matches!(at.node.value, Value::Map(_)) {
                Self::read_long(&at).into_iter().collect()
            } else {
                at.or_expected(at.scalar().and_then(Scalar::to_text).and_then(|text| Self::parse(&text)), SHORT)
                    .unwrap_or_default()
            };
            for port in read {
                match indices.entry((port.target, port.published, port.host_ip, port.protocol)) {
                    Entry::Occupied(index) => ports[*index.get()] = port,
                    Entry::Vacant(index) => {
                        index.insert(ports.len());
                        ports.push(port);
                    }
                }
            }
        }
        ports
    }

    /// `[[ADDRESS:][PUBLISHED]:]TARGET[/PROTOCOL]`, where published and target may be ranges.
    pub(crate) fn parse(text: &str) -> Option<Vec<Self>> {
        let (numbers, protocol) = match text.split_once('/') {
            Some((numbers, protocol)) => (numbers, Protocol::parse(protocol)?),
            None => (text, Protocol::Tcp),
        };
        let (rest, target) = match numbers.rsplit_once(':') {
            Some((rest, target)) => (Some(rest), PortRange::parse(target)?),
            None => (None, PortRange::parse(numbers)?),
        };
        let (address, published) = match rest.map(|rest| rest.rsplit_once(':').unwrap_or(("", rest))) {
            Some((address, published)) => (address, published),
            None => ("", ""),
        };
        let host_ip = match address.strip_prefix('[').map_or(Some(address), |inner| inner.strip_suffix(']'))? {
            "" => None,
            address => Some(address.parse().ok()?),
        };
        let published = match published {
            "" | "0" => None,
            published => Some(PortRange::parse(published)?),
        };
        if target.first == 0 || published.is_some_and(|p| target.count() > 1 && p.count() != target.count()) {
            return None;
        }
        let port = |(index, target_port): (u16, u16)| Self {
            target: target_port,
            published: published.map(|published| match target.single() {
                Some(_) => published,
                None => PortRange { first: published.first + index, last: published.first + index },
            }),
            host_ip,
            protocol,
            app_protocol: None,
            name: None,
        };
        Some((0..).zip(target.first..=target.last).map(port).collect())
    }

    fn read_long(at: &At<'_>) -> Option<Self> {
        let mut fields = at.fields();
        let target = match fields.take("target") {
            Some(at) => at.parsed(PORT, |text| text.parse().ok().filter(|port| *port > 0)),
            None => at.or_expected(None, "a map with the key `target`"),
        };
        let published = fields.take("published").and_then(|at| {
            at.parsed("a port or a range of ports such as 8080 or 8080-8090", |text| match text {
                "" | "0" => Some(None),
                text => PortRange::parse(text).map(Some),
            })
        });
        let host_ip = fields.take("host_ip").and_then(|at| at.parsed("an IP address", |text| text.parse().ok()));
        let protocol = fields.take("protocol").and_then(|at| at.parsed("tcp, udp or sctp", Protocol::parse));
        let (app_protocol, name) = (fields.text("app_protocol"), fields.text("name"));
        // Both modes mean the same outside of a Swarm.
        if let Some(at) = fields.take("mode") {
            at.parsed("host or ingress", |mode| matches!(mode, "host" | "ingress").then_some(()));
        }
        fields.finish();
        Some(Self {
            target: target?,
            published: published.flatten(),
            host_ip,
            protocol: protocol.unwrap_or_default(),
            app_protocol,
            name,
        })
    }
}

impl ExposedPort {
    /// `expose`: `80`, `8000-8010` or `53/udp`.
    pub(crate) fn read_all(at: &At<'_>) -> Vec<Self> {
        let mut ports = Vec::new();
        for at in at.items() {
            let read = at.parsed("a port such as 80, 8000-8010 or 53/udp", |text| {
                let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
                let range = PortRange::parse(numbers).filter(|range| range.first > 0)?;
                Some((range, Protocol::parse(protocol)?))
            });
            if let Some((range, protocol)) = read {
                ports.extend((range.first..=range.last).map(|port| Self { port, protocol }));
            }
        }
        ports.sort_unstable();
        ports.dedup();
        ports
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<Vec<String>> {
        let show = |port: &Port| {
            let published = port.published.map(|published| published.to_string()).unwrap_or_default();
            let address = port.host_ip.map(|ip| ip.to_string()).unwrap_or_default();
            format!("{address}|{published}|{}|{}", port.target, port.protocol)
        };
        Port::parse(text).map(|ports| ports.iter().map(show).collect())
    }

    #[test]
    fn the_short_syntax_is_understood() {
        let cases: [(&str, &[&str]); 10] = [
            ("80", &["||80|tcp"]),
            ("8080:80", &["|8080|80|tcp"]),
            ("8080:80/udp", &["|8080|80|udp"]),
            ("127.0.0.1:8080:80", &["127.0.0.1|8080|80|tcp"]),
            ("127.0.0.1::80", &["127.0.0.1||80|tcp"]),
            ("[::1]:8080:80", &["::1|8080|80|tcp"]),
            ("3000-3001", &["||3000|tcp", "||3001|tcp"]),
            ("4000-4001:3000-3001", &["|4000|3000|tcp", "|4001|3001|tcp"]),
            ("4000-4010:80", &["|4000-4010|80|tcp"]),
            ("0:80", &["||80|tcp"]),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text).unwrap_or_default(), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_ports() {
        for text in
            ["", "web", "80:", "80:web", "70000", "0", "1-2:3-9", "9-1", "80/tls", "x:80:80", "[::1:80:80", "+80"]
        {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn a_range_up_to_the_last_port_is_no_overflow() {
        assert_eq!(shown("65534-65535:65534-65535").map(|ports| ports.len()), Some(2));
    }
}
