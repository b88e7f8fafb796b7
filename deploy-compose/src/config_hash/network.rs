//! `ports`, `expose`, `networks` and `extra_hosts`.

use serde_json::{Map, Value as Json, json};

use super::value::{self, Object, Unknown, Written, filled, items, only, plain};
use crate::{
    model::{Port, put},
    node::{Node, Value},
};

/// The published ports of a service, one entry a port.
pub(super) fn ports(node: &Node) -> Written {
    let mut ports: Vec<Json> = Vec::new();
    for item in items(node)? {
        let more = match &item.value {
            Value::Map(_) => vec![long(item)?],
            _ => short(&plain(item)?)?,
        };
        for port in more {
            let key = |port: &Json| ["host_ip", "target", "published", "protocol"].map(|key| port[key].clone());
            put(&mut ports, port, |a, b| key(a) == key(b));
        }
    }
    Ok((!ports.is_empty()).then_some(Json::Array(ports)))
}

/// `[[ADDRESS:][PUBLISHED]:]TARGET[/PROTOCOL]`.
fn short(text: &str) -> Result<Vec<Json>, Unknown> {
    let mut ports = Port::parse(text).ok_or(Unknown)?;
    // Compose sorts a range's ports as texts
    ports.sort_by_key(|port| port.target.to_string());
    let before = text.rsplit_once(':').map_or("", |(before, _)| before);
    let (address, published) = before.rsplit_once(':').unwrap_or(("", before));
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let written = ports.iter().map(|port| {
        let published = port.published.map_or_else(|| published.to_owned(), |published| published.to_string());
        let mut written = Object::default();
        written.put("mode", Some(json!("ingress")));
        written.put("host_ip", Some(address).filter(|address| !address.is_empty()).map(Json::from));
        written.put("target", Some(json!(port.target)));
        written.put("published", Some(published).filter(|published| !published.is_empty()).map(Json::from));
        written.put("protocol", Some(json!(port.protocol.to_string())));
        written.json()
    });
    Ok(written.collect())
}

fn long(node: &Node) -> Result<Json, Unknown> {
    only(node, &["name", "mode", "host_ip", "target", "published", "protocol", "app_protocol"])?;
    let mut port = Object::default();
    port.field(node, "name", value::text)?;
    port.put("mode", Some(json!("ingress")));
    port.field(node, "mode", value::text)?;
    port.field(node, "host_ip", value::text)?;
    port.field(node, "target", value::whole)?;
    port.field(node, "published", value::text)?;
    port.put("protocol", Some(json!("tcp")));
    port.field(node, "protocol", value::text)?;
    port.field(node, "app_protocol", value::text)?;
    Ok(port.json())
}

/// The networks of a service, or the default one.
pub(super) fn networks(node: Option<&Node>, has_mode: bool) -> Written {
    let mut networks = match node.map(|node| &node.value) {
        Some(Value::List(keys)) => {
            let keys = keys.iter().map(|key| Ok((plain(key)?, Json::Null))).collect::<Result<Vec<_>, _>>()?;
            keys.into_iter().collect()
        }
        Some(Value::Map(entries)) => {
            let entry = |entry: &crate::node::Entry| Ok((entry.key.clone(), attachment(&entry.value)?));
            entries.iter().map(entry).collect::<Result<Map<_, _>, Unknown>>()?
        }
        _ => Map::new(),
    };
    if networks.is_empty() && !has_mode {
        networks.insert("default".to_owned(), Json::Null);
    }
    networks.sort_keys();
    Ok(filled(networks))
}

fn attachment(node: &Node) -> Result<Json, Unknown> {
    if node.is_null() {
        return Ok(Json::Null);
    }
    only(
        node,
        &["priority", "aliases", "ipv4_address", "ipv6_address", "link_local_ips", "mac_address", "driver_opts"],
    )?;
    let mut attachment = Object::default();
    attachment.field(node, "priority", value::whole)?;
    attachment.field(node, "aliases", value::unique)?;
    attachment.field(node, "ipv4_address", value::text)?;
    attachment.field(node, "ipv6_address", value::text)?;
    attachment.field(node, "link_local_ips", value::unique)?;
    attachment.field(node, "mac_address", value::text)?;
    attachment.field(node, "driver_opts", value::pairs)?;
    Ok(attachment.json())
}

/// `HOST=ADDRESS`, sorted.
pub(super) fn hosts(node: &Node) -> Written {
    let mut hosts: Vec<String> = Vec::new();
    let bare =
        |address: &str| address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address).to_owned();
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                let addresses = match &entry.value.value {
                    Value::Scalar(_) => vec![plain(&entry.value)?],
                    _ => items(&entry.value)?.iter().map(plain).collect::<Result<Vec<_>, _>>()?,
                };
                hosts.extend(addresses.iter().map(|address| format!("{}={}", entry.key, bare(address))));
            }
        }
        _ => {
            for text in items(node)?.iter().map(plain) {
                let text = text?;
                let (host, address) = text.split_once('=').or_else(|| text.split_once(':')).ok_or(Unknown)?;
                hosts.push(format!("{host}={}", bare(address)));
            }
        }
    }
    hosts.sort();
    Ok((!hosts.is_empty()).then(|| json!(hosts)))
}
