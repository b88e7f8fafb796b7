//! `volumes`, `secrets` and `configs`.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::value::{self, Object, Unknown, Written, items, only, plain};
use crate::{
    model::put,
    node::{Node, Value},
    paths,
    read::Context,
};

/// The mounts of a service.
pub(super) fn volumes(node: &Node, around: &Context<'_>) -> Written {
    let mut mounts: Vec<Json> = Vec::new();
    for item in items(node)? {
        let mount = match &item.value {
            Value::Map(_) => long(item, around)?,
            _ => short(&plain(item)?, around)?,
        };
        put(&mut mounts, mount, |a, b| a["target"] == b["target"]);
    }
    Ok((!mounts.is_empty()).then_some(Json::Array(mounts)))
}

/// `[SOURCE:]TARGET[:OPTIONS]`.
fn short(text: &str, around: &Context<'_>) -> Result<Json, Unknown> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [target] => (None, target, ""),
        [source, target] if target.starts_with('/') => (Some(source), target, ""),
        [source, target, options] => (Some(source), target, options),
        _ => return Err(Unknown),
    };
    let (mut read_only, mut no_copy, mut selinux, mut propagation) = (false, false, None, None);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => read_only = true,
            "rw" => read_only = false,
            "nocopy" => no_copy = true,
            "z" | "Z" => selinux = Some(option),
            "cached" | "delegated" | "consistent" => {}
            _ => propagation = Some(option),
        }
    }
    let is_bind = source.is_some_and(paths::is_path);
    // where a kind of mount gets the options of another, Compose keeps them
    if (is_bind && no_copy) || (!is_bind && (selinux.is_some() || propagation.is_some())) {
        return Err(Unknown);
    }
    let mut mount = Object::default();
    mount.put("type", Some(json!(if is_bind { "bind" } else { "volume" })));
    mount.put(
        "source",
        source.map(|source| if is_bind { host_path(source, around) } else { source.to_owned() }).map(Json::from),
    );
    mount.put("target", Some(Json::from(clean(target))));
    mount.put("read_only", read_only.then_some(Json::Bool(true)));
    let mut how = Object::default();
    if is_bind {
        how.put("selinux", selinux.map(Json::from));
        how.put("propagation", propagation.map(Json::from));
        how.put("create_host_path", Some(Json::Bool(true)));
        mount.put("bind", Some(how.json()));
    } else {
        how.put("nocopy", no_copy.then_some(Json::Bool(true)));
        mount.put("volume", Some(how.json()));
    }
    Ok(mount.json())
}

/// A path of the host: absolute ones stay as they are written.
pub(super) fn host_path(path: &str, around: &Context<'_>) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    paths::resolve(around.directory, path, around.environment).to_string_lossy().into_owned()
}

/// A path without `.`, `..` and double slashes.
fn clean(target: &str) -> String {
    paths::resolve(Path::new("/"), target, &crate::Environment::new()).to_string_lossy().into_owned()
}

fn long(node: &Node, around: &Context<'_>) -> Result<Json, Unknown> {
    only(node, &["type", "source", "target", "read_only", "consistency", "bind", "volume", "tmpfs"])?;
    let kind = node.entry("type").ok_or(Unknown).and_then(|entry| plain(&entry.value))?;
    let mut mount = Object::default();
    mount.put("type", Some(Json::from(kind.as_str())));
    mount.field(node, "source", |source| match kind.as_str() {
        "bind" => Ok(Some(Json::from(host_path(&plain(source)?, around)))),
        _ => value::text(source),
    })?;
    mount.field(node, "target", |target| Ok(Some(Json::from(clean(&plain(target)?)))))?;
    mount.field(node, "read_only", value::flag)?;
    mount.field(node, "consistency", value::text)?;
    mount.field(node, "bind", |node| {
        only(node, &["selinux", "propagation", "create_host_path"])?;
        let mut bind = Object::default();
        bind.field(node, "selinux", value::text)?;
        bind.field(node, "propagation", value::text)?;
        bind.field(node, "create_host_path", value::flag)?;
        Ok(Some(bind.json()))
    })?;
    mount.field(node, "volume", |node| {
        only(node, &["nocopy", "subpath"])?;
        let mut volume = Object::default();
        volume.field(node, "nocopy", value::flag)?;
        volume.field(node, "subpath", value::text)?;
        Ok(Some(volume.json()))
    })?;
    mount.field(node, "tmpfs", |node| {
        only(node, &["size", "mode"])?;
        let mut tmpfs = Object::default();
        tmpfs.field(node, "size", value::size)?;
        tmpfs.field(node, "mode", value::whole)?;
        Ok(Some(tmpfs.json()))
    })?;
    Ok(mount.json())
}

/// The secrets of a service.
pub(super) fn secrets(node: &Node) -> Written {
    grants(node, |source| Some(format!("/run/secrets/{source}")))
}

/// The configs of a service.
pub(super) fn configs(node: &Node) -> Written {
    grants(node, |_| None)
}

fn grants(node: &Node, usual_target: impl Fn(&str) -> Option<String>) -> Written {
    let mut grants: Vec<Json> = Vec::new();
    for item in items(node)? {
        let field = |key: &str| match (&item.value, key) {
            (Value::Map(_), _) => item.entry(key).map(|entry| &entry.value).filter(|node| !node.is_null()),
            (_, "source") => Some(item),
            _ => None,
        };
        only(item, &["source", "target", "uid", "gid", "mode"])?;
        let source = plain(field("source").ok_or(Unknown)?)?;
        let target = field("target").map(plain).transpose()?.or_else(|| usual_target(&source));
        let mut grant = Object::default();
        grant.put("source", Some(Json::from(source)));
        grant.put("target", target.map(Json::from));
        for key in ["uid", "gid"] {
            grant.put(key, field(key).map(value::text).transpose()?.flatten());
        }
        grant.put("mode", field("mode").map(value::count).transpose()?.flatten());
        let place = |grant: &Json| {
            grant["target"].as_str().map_or_else(|| format!("/{}", text_of(&grant["source"])), str::to_owned)
        };
        put(&mut grants, grant.json(), |a, b| place(a) == place(b));
    }
    Ok((!grants.is_empty()).then_some(Json::Array(grants)))
}

fn text_of(json: &Json) -> &str {
    json.as_str().unwrap_or_default()
}
