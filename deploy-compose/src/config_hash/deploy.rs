//! `deploy`, of which Compose itself uses little and hashes nearly everything.

use serde_json::{Map, Value as Json};

use super::value::{self, Object, Unknown, Written, each, only};
use crate::node::Node;

/// `deploy` without its count.
pub(super) fn deploy(node: &Node) -> Written {
    let keys = [
        "mode",
        "replicas",
        "labels",
        "update_config",
        "rollback_config",
        "resources",
        "restart_policy",
        "placement",
        "endpoint_mode",
    ];
    only(node, &keys)?;
    let mut deploy = Object::default();
    deploy.field(node, "mode", value::text)?;
    deploy.field(node, "labels", value::pairs)?;
    deploy.field(node, "update_config", update)?;
    deploy.field(node, "rollback_config", update)?;
    // these two are no pointers there, and so are never left out
    deploy.put("resources", Some(Json::Object(Map::new())));
    deploy.field(node, "resources", resources)?;
    deploy.field(node, "restart_policy", restart)?;
    deploy.put("placement", Some(Json::Object(Map::new())));
    deploy.field(node, "placement", placement)?;
    deploy.field(node, "endpoint_mode", value::text)?;
    Ok(Some(deploy.json()))
}

fn update(node: &Node) -> Written {
    only(node, &["parallelism", "delay", "failure_action", "monitor", "max_failure_ratio", "order"])?;
    let mut update = Object::default();
    update.field(node, "parallelism", value::count)?;
    update.field(node, "delay", value::some_time)?;
    update.field(node, "failure_action", value::text)?;
    update.field(node, "monitor", value::some_time)?;
    update.field(node, "max_failure_ratio", value::float)?;
    update.field(node, "order", value::text)?;
    Ok(Some(update.json()))
}

fn resources(node: &Node) -> Written {
    only(node, &["limits", "reservations"])?;
    let mut resources = Object::default();
    resources.field(node, "limits", amounts)?;
    resources.field(node, "reservations", amounts)?;
    Ok(Some(resources.json()))
}

fn amounts(node: &Node) -> Written {
    // generic resources are left to a Swarm
    only(node, &["cpus", "memory", "pids", "devices"])?;
    let mut amounts = Object::default();
    amounts.field(node, "cpus", value::float)?;
    amounts.field(node, "memory", value::size)?;
    amounts.field(node, "pids", value::whole)?;
    amounts.field(node, "devices", |node| each(node, device_request))?;
    Ok(Some(amounts.json()))
}

/// A request for devices, those of `gpus` too.
pub(super) fn device_request(node: &Node) -> Result<Json, Unknown> {
    only(node, &["capabilities", "driver", "count", "device_ids", "options"])?;
    let mut device = Object::default();
    device.field(node, "capabilities", value::texts)?;
    device.field(node, "driver", value::text)?;
    if node.entry("count").is_none() && node.entry("device_ids").is_none() {
        device.put("count", Some(Json::from(-1)));
    }
    device.field(node, "count", |node| match value::plain(node)?.as_str() {
        "all" => Ok(Some(Json::from(-1))),
        _ => value::whole(node),
    })?;
    device.field(node, "device_ids", value::texts)?;
    device.field(node, "options", value::pairs)?;
    Ok(device.json())
}

fn restart(node: &Node) -> Written {
    only(node, &["condition", "delay", "max_attempts", "window"])?;
    let mut restart = Object::default();
    restart.field(node, "condition", value::text)?;
    restart.field(node, "delay", value::time)?;
    restart.field(node, "max_attempts", value::count)?;
    restart.field(node, "window", value::time)?;
    Ok(Some(restart.json()))
}

fn placement(node: &Node) -> Written {
    only(node, &["constraints", "preferences", "max_replicas_per_node"])?;
    let mut placement = Object::default();
    placement.field(node, "constraints", value::texts)?;
    placement.field(node, "preferences", |node| {
        each(node, |node| {
            only(node, &["spread"])?;
            let mut preference = Object::default();
            preference.field(node, "spread", value::text)?;
            Ok(preference.json())
        })
    })?;
    placement.field(node, "max_replicas_per_node", value::whole)?;
    Ok(Some(placement.json()))
}
