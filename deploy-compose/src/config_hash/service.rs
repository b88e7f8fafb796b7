//! A service, field by field in the order of Compose's struct.

use serde_json::{Map, Value as Json, json};

use super::{
    deploy::{deploy, device_request},
    network::{hosts, networks, ports},
    storage::{configs, host_path, secrets, volumes},
    value::{self, Object, Unknown, Written, each, filled, items, only, plain},
};
use crate::{
    model::{Condition, Dependency, Service, put},
    node::{Node, Value},
    read::{At, Context},
    words,
};

/// Fields that aren't part of the hash.
const LEFT_OUT: [&str; 3] = ["build", "pull_policy", "scale"];

/// What a service is written from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a, 'b> {
    pub(super) at: &'a At<'b>,
    /// The same, read.
    pub(super) read: &'a Service,
}

/// How a field is written.
enum Field {
    /// Left out where the file has none.
    Given(fn(&Node) -> Written),
    /// Its value depends on more than what the file has there.
    Made(fn(Source<'_, '_>, Option<&Node>) -> Written),
}

use Field::{Given, Made};

/// In the order of Compose's struct.
const FIELDS: [(&str, Field); 76] = [
    ("profiles", Given(value::unique)),
    ("annotations", Given(value::pairs)),
    ("attach", Given(value::either)),
    ("develop", Made(|source, node| node.map_or(Ok(None), |node| develop(node, source.at.cx)))),
    ("blkio_config", Given(block_io)),
    ("cap_add", Given(value::unique)),
    ("cap_drop", Given(value::unique)),
    ("cgroup_parent", Given(value::text)),
    ("cgroup", Given(value::text)),
    ("cpu_period", Given(value::whole)),
    ("cpu_quota", Given(value::whole)),
    ("cpu_rt_period", Given(value::whole)),
    ("cpu_rt_runtime", Given(value::whole)),
    ("cpus", Given(value::float)),
    ("cpuset", Given(value::text)),
    ("cpu_shares", Given(value::whole)),
    ("command", Made(|_, node| command(node))),
    ("configs", Given(configs)),
    ("container_name", Given(value::text)),
    ("depends_on", Made(|source, _| Ok(dependencies(source.read)))),
    ("deploy", Given(deploy)),
    ("device_cgroup_rules", Given(value::texts)),
    ("devices", Given(devices)),
    ("dns", Given(value::one_or_more)),
    ("dns_opt", Given(value::unique)),
    ("dns_search", Given(value::one_or_more)),
    ("domainname", Given(value::text)),
    ("entrypoint", Made(|_, node| command(node))),
    ("environment", Made(environment)),
    // its variables stand among the others
    ("env_file", Made(|_, _| Ok(None))),
    ("expose", Given(exposed)),
    ("extra_hosts", Given(hosts)),
    ("group_add", Given(value::texts)),
    ("gpus", Given(gpus)),
    ("hostname", Given(value::text)),
    ("healthcheck", Given(healthcheck)),
    ("image", Given(value::text)),
    ("init", Given(value::either)),
    ("ipc", Given(value::text)),
    ("isolation", Given(value::text)),
    ("labels", Given(value::pairs)),
    ("links", Given(value::unique)),
    ("logging", Given(logging)),
    ("mem_limit", Given(value::size)),
    ("mem_reservation", Given(value::size)),
    ("memswap_limit", Given(value::size)),
    ("mem_swappiness", Given(value::size)),
    ("mac_address", Given(value::text)),
    ("network_mode", Given(value::text)),
    ("networks", Made(|source, node| networks(node, source.read.network_mode.is_some()))),
    ("oom_kill_disable", Given(value::flag)),
    ("oom_score_adj", Given(value::whole)),
    ("pid", Given(value::text)),
    ("pids_limit", Given(value::whole)),
    ("platform", Made(platform)),
    ("ports", Given(ports)),
    ("privileged", Given(value::flag)),
    ("read_only", Given(value::flag)),
    ("restart", Given(value::text)),
    ("runtime", Given(value::text)),
    ("secrets", Given(secrets)),
    ("security_opt", Given(value::unique)),
    ("shm_size", Given(value::size)),
    ("stdin_open", Given(value::flag)),
    ("stop_grace_period", Given(value::time)),
    ("stop_signal", Given(value::text)),
    ("storage_opt", Given(value::pairs)),
    ("sysctls", Given(value::pairs)),
    ("tmpfs", Given(value::one_or_more)),
    ("tty", Given(value::flag)),
    ("ulimits", Given(ulimits)),
    ("user", Given(value::text)),
    ("userns_mode", Given(value::text)),
    ("uts", Given(value::text)),
    ("volumes", Made(|source, node| node.map_or(Ok(None), |node| volumes(node, source.at.cx)))),
    ("working_dir", Given(value::text)),
];

/// A service as Compose writes it.
pub(super) fn service(source: Source<'_, '_>) -> Result<Json, Unknown> {
    let known: Vec<&str> = FIELDS.iter().map(|(key, _)| *key).chain(LEFT_OUT).collect();
    only(source.at.node, &known)?;
    let mut service = Object::default();
    for (key, field) in &FIELDS {
        let node = source.at.node.entry(key).map(|entry| &entry.value).filter(|node| !node.is_null());
        let written = match (field, node) {
            (Made(write), node) => write(source, node)?,
            (Given(write), Some(node)) => write(node)?,
            (Given(_), None) => None,
        };
        service.put(key, written);
    }
    Ok(service.json())
}

/// The platform of what is built may be set from outside.
fn platform(source: Source<'_, '_>, node: Option<&Node>) -> Written {
    let usual = source.at.cx.environment.get("DOCKER_DEFAULT_PLATFORM").filter(|platform| !platform.is_empty());
    match node {
        Some(node) => value::text(node),
        None => Ok(usual.filter(|_| source.read.build.is_some()).map(Json::from)),
    }
}

/// A command, or null: an empty one isn't none.
fn command(node: Option<&Node>) -> Written {
    let Some(node) = node else { return Ok(Some(Json::Null)) };
    match &node.value {
        Value::List(_) => Ok(Some(value::texts(node)?.unwrap_or_else(|| json!([])))),
        _ => words::split(&value::plain(node)?).map(|words| Some(json!(words.words))).map_err(|_| Unknown),
    }
}

/// The variables, those of files among them; the ones that are set nowhere are null.
fn environment(source: Source<'_, '_>, node: Option<&Node>) -> Written {
    let mut fields = source.at.fields();
    let of_files = fields.take("env_file").map(|at| at.env_files_before_own()).unwrap_or_default();
    let mut variables: Map<String, Json> =
        of_files.iter().map(|(name, value)| (name.clone(), Json::from(value.expose()))).collect();
    if let Some(node) = node {
        let outside = |name: &str| source.at.cx.environment.get(name).map_or(Json::Null, Json::from);
        variables.extend(value::pairs_with(node, outside)?);
    }
    variables.sort_keys();
    Ok(filled(variables))
}

/// What it waits for, with what is implied by other fields.
fn dependencies(read: &Service) -> Option<Json> {
    let dependency = |dependency: &Dependency| {
        let mut written = Object::default();
        let condition = match dependency.condition {
            Condition::Started => "service_started",
            Condition::Healthy => "service_healthy",
        };
        written.put("condition", Some(json!(condition)));
        written.put("restart", dependency.restart.then_some(json!(true)));
        written.put("required", Some(json!(dependency.required)));
        written.json()
    };
    filled(read.depends_on.iter().map(|(name, of)| (name.to_string(), dependency(of))).collect())
}

fn exposed(node: &Node) -> Written {
    let mut texts = Vec::new();
    for item in items(node)? {
        put(&mut texts, plain(item)?, String::eq);
    }
    Ok((!texts.is_empty()).then(|| json!(texts)))
}

fn devices(node: &Node) -> Written {
    let mut devices: Vec<Json> = Vec::new();
    for item in items(node)? {
        let text = plain(item)?;
        let device = match text.split(':').collect::<Vec<_>>()[..] {
            [one] => json!({ "source": one, "target": one, "permissions": "rwm" }),
            [source, target] => json!({ "source": source, "target": target, "permissions": "rwm" }),
            [source, target, permissions] => json!({ "source": source, "target": target, "permissions": permissions }),
            _ => return Err(Unknown),
        };
        put(&mut devices, device, |a, b| a["target"] == b["target"]);
    }
    Ok((!devices.is_empty()).then_some(Json::Array(devices)))
}

fn healthcheck(node: &Node) -> Written {
    only(node, &["test", "timeout", "interval", "retries", "start_period", "start_interval", "disable"])?;
    let mut check = Object::default();
    check.field(node, "test", |test| match &test.value {
        Value::List(_) => value::texts(test),
        _ => Ok(Some(json!(["CMD-SHELL", value::plain(test)?]))),
    })?;
    check.field(node, "timeout", value::time)?;
    check.field(node, "interval", value::time)?;
    check.field(node, "retries", value::count)?;
    check.field(node, "start_period", value::time)?;
    check.field(node, "start_interval", value::time)?;
    check.field(node, "disable", value::flag)?;
    Ok(Some(check.json()))
}

/// `develop`, which only `docker compose watch` uses.
fn develop(node: &Node, around: &Context<'_>) -> Written {
    only(node, &["watch"])?;
    let rule = |node: &Node| {
        only(node, &["path", "action", "target", "ignore"])?;
        let mut rule = Object::default();
        rule.field(node, "path", |path| Ok(Some(Json::from(host_path(&plain(path)?, around)))))?;
        rule.field(node, "action", value::text)?;
        rule.field(node, "target", value::text)?;
        rule.put("exec", Some(json!({ "command": null })));
        rule.field(node, "ignore", value::texts)?;
        Ok(rule.json())
    };
    let mut develop = Object::default();
    develop.field(node, "watch", |node| each(node, rule))?;
    Ok(Some(develop.json()))
}

/// `all` or a list.
fn gpus(node: &Node) -> Written {
    match &node.value {
        Value::List(_) => each(node, device_request),
        _ if plain(node)? == "all" => Ok(Some(json!([{ "count": -1 }]))),
        _ => Err(Unknown),
    }
}

fn logging(node: &Node) -> Written {
    only(node, &["driver", "options"])?;
    let mut logging = Object::default();
    logging.field(node, "driver", value::text)?;
    logging.field(node, "options", value::pairs)?;
    Ok(Some(logging.json()))
}

fn ulimits(node: &Node) -> Written {
    let mut limits = Map::new();
    for entry in node.entries() {
        let limit = match &entry.value.value {
            Value::Map(_) => {
                only(&entry.value, &["soft", "hard"])?;
                let mut limit = Object::default();
                limit.field(&entry.value, "soft", value::whole)?;
                limit.field(&entry.value, "hard", value::whole)?;
                limit.json()
            }
            _ => match value::integer(&entry.value)? {
                0 => json!({}),
                limit => json!(limit),
            },
        };
        limits.insert(entry.key.clone(), limit);
    }
    limits.sort_keys();
    Ok(filled(limits))
}

fn block_io(node: &Node) -> Written {
    let rates = ["device_read_bps", "device_read_iops", "device_write_bps", "device_write_iops"];
    only(node, &[&["weight", "weight_device"], rates.as_slice()].concat())?;
    let mut block_io = Object::default();
    block_io.field(node, "weight", value::whole)?;
    block_io.field(node, "weight_device", |node| {
        each(node, |node| {
            Ok(json!({ "Path": part(node, "path", value::text)?, "Weight": part(node, "weight", value::count)? }))
        })
    })?;
    for rate in rates {
        block_io.field(node, rate, |node| {
            each(node, |node| {
                Ok(json!({ "Path": part(node, "path", value::text)?, "Rate": part(node, "rate", value::size)? }))
            })
        })?;
    }
    Ok(Some(block_io.json()))
}

fn part(node: &Node, key: &str, write: impl Fn(&Node) -> Written) -> Result<Json, Unknown> {
    write(&node.entry(key).ok_or(Unknown)?.value)?.ok_or(Unknown)
}
