//! Values of a file as Compose's model has them.

use serde_json::{Map, Value as Json, json};

use super::go;
use crate::{
    node::{Node, Value},
    scalar::Scalar,
    units::{ByteSize, parse_duration},
};

/// It isn't known how Compose writes something.
#[derive(Debug, PartialEq)]
pub(super) struct Unknown;

/// What stands for a field; nothing where Compose leaves it out.
pub(super) type Written = Result<Option<Json>, Unknown>;

/// The members of an object, in the order in which they were put.
#[derive(Default)]
pub(super) struct Object(Map<String, Json>);

impl Object {
    pub(super) fn put(&mut self, key: &str, value: Option<Json>) {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), value);
        }
    }

    /// Puts what a field of a map is written as.
    pub(super) fn field(&mut self, map: &Node, key: &str, write: impl Fn(&Node) -> Written) -> Result<(), Unknown> {
        if let Some(entry) = map.entry(key).filter(|entry| !entry.value.is_null()) {
            self.put(key, write(&entry.value)?);
        }
        Ok(())
    }

    pub(super) fn json(self) -> Json {
        Json::Object(self.0)
    }
}

/// Refuses keys of a map that none of these names; extensions are left out.
pub(super) fn only(map: &Node, keys: &[&str]) -> Result<(), Unknown> {
    let is_known = |key: &str| key.starts_with("x-") || keys.contains(&key);
    map.entries().iter().all(|entry| is_known(&entry.key)).then_some(()).ok_or(Unknown)
}

pub(super) fn scalar(node: &Node) -> Result<&Scalar, Unknown> {
    match &node.value {
        Value::Scalar(scalar) => Ok(scalar),
        _ => Err(Unknown),
    }
}

pub(super) fn items(node: &Node) -> Result<&[Node], Unknown> {
    match &node.value {
        Value::List(items) => Ok(items),
        _ => Err(Unknown),
    }
}

/// The text of a scalar; nothing for null.
pub(super) fn plain(node: &Node) -> Result<String, Unknown> {
    Ok(scalar(node)?.to_text().unwrap_or_default())
}

pub(super) fn text(node: &Node) -> Written {
    Ok(Some(plain(node)?).filter(|text| !text.is_empty()).map(Json::String))
}

pub(super) fn is_on(node: &Node) -> Result<bool, Unknown> {
    match scalar(node)? {
        Scalar::Bool(flag) => Ok(*flag),
        Scalar::Text(text) => match text.to_lowercase().as_str() {
            "true" | "yes" | "y" | "on" => Ok(true),
            "false" | "no" | "n" | "off" => Ok(false),
            _ => Err(Unknown),
        },
        _ => Err(Unknown),
    }
}

/// A flag that is left out where it is off.
pub(super) fn flag(node: &Node) -> Written {
    Ok(is_on(node)?.then_some(Json::Bool(true)))
}

/// A flag that is left out only where the file has none.
pub(super) fn either(node: &Node) -> Written {
    is_on(node).map(|on| Some(Json::Bool(on)))
}

pub(super) fn integer(node: &Node) -> Result<i64, Unknown> {
    match scalar(node)? {
        Scalar::Integer(number) => i64::try_from(*number).map_err(|_| Unknown),
        Scalar::Text(text) => text.parse().map_err(|_| Unknown),
        _ => Err(Unknown),
    }
}

/// A number that is left out where it is 0.
pub(super) fn whole(node: &Node) -> Written {
    Ok(Some(integer(node)?).filter(|number| *number != 0).map(Json::from))
}

/// A number that is left out only where the file has none.
pub(super) fn count(node: &Node) -> Written {
    integer(node).map(|number| Some(Json::from(number)))
}

/// A number of 32 bits.
pub(super) fn float(node: &Node) -> Written {
    let number: f32 = plain(node)?.parse().map_err(|_| Unknown)?;
    match number == 0.0 {
        true => Ok(None),
        false => go::float32(number).map(Some).ok_or(Unknown),
    }
}

/// A number of bytes, which is written as a text.
pub(super) fn size(node: &Node) -> Written {
    let bytes = match plain(node)?.as_str() {
        "-1" => -1,
        text => ByteSize::parse(text).and_then(|size| i64::try_from(size.0).ok()).ok_or(Unknown)?,
    };
    Ok((bytes != 0).then(|| Json::String(bytes.to_string())))
}

fn nanoseconds(node: &Node) -> Result<u64, Unknown> {
    let duration = parse_duration(&plain(node)?).ok_or(Unknown)?;
    u64::try_from(duration.as_nanos()).map_err(|_| Unknown)
}

/// A duration that is left out only where the file has none.
pub(super) fn time(node: &Node) -> Written {
    nanoseconds(node).map(|time| Some(Json::String(go::duration(time))))
}

/// A duration that is left out where it is 0.
pub(super) fn some_time(node: &Node) -> Written {
    Ok(Some(nanoseconds(node)?).filter(|time| *time != 0).map(|time| Json::String(go::duration(time))))
}

/// A list of texts; left out where it is empty.
pub(super) fn texts(node: &Node) -> Written {
    let texts = items(node)?.iter().map(plain).collect::<Result<Vec<_>, _>>()?;
    Ok((!texts.is_empty()).then(|| json!(texts)))
}

/// The same with each text once: one with the same key, before a `=`, takes the place of the one before.
pub(super) fn unique(node: &Node) -> Written {
    let mut texts: Vec<String> = Vec::new();
    for text in items(node)?.iter().map(plain) {
        let text = text?;
        let key = |text: &str| text.split('=').next().unwrap_or_default().to_owned();
        crate::model::put(&mut texts, text, |a, b| key(a) == key(b));
    }
    Ok((!texts.is_empty()).then(|| json!(texts)))
}

/// One text or a list of them.
pub(super) fn one_or_more(node: &Node) -> Written {
    match &node.value {
        Value::Scalar(_) => plain(node).map(|text| Some(json!([text]))),
        _ => unique(node),
    }
}

/// A map, or a list of `KEY=value`, in the order of its keys, with `missing` for what has no value.
pub(super) fn pairs_with(node: &Node, missing: impl Fn(&str) -> Json) -> Result<Map<String, Json>, Unknown> {
    let mut pairs: Vec<(String, Json)> = Vec::new();
    match &node.value {
        Value::List(items) => {
            for item in items {
                let text = plain(item)?;
                pairs.push(match text.split_once('=') {
                    Some((key, value)) => (key.to_owned(), Json::from(value)),
                    None => (text.clone(), missing(&text)),
                });
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                let value = scalar(&entry.value)?.to_text().map_or_else(|| missing(&entry.key), Json::String);
                pairs.push((entry.key.clone(), value));
            }
        }
        Value::Scalar(_) => return Err(Unknown),
    }
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(pairs.into_iter().collect())
}

/// A map, or a list of `KEY=value`; left out where it is empty.
pub(super) fn pairs(node: &Node) -> Written {
    Ok(filled(pairs_with(node, |_| Json::from(""))?))
}

/// Nothing for an object without members.
pub(super) fn filled(object: Map<String, Json>) -> Option<Json> {
    (!object.is_empty()).then_some(Json::Object(object))
}

/// What becomes of each item of a list; left out where it is empty.
pub(super) fn each(node: &Node, write: impl Fn(&Node) -> Result<Json, Unknown>) -> Written {
    let written = items(node)?.iter().map(write).collect::<Result<Vec<_>, _>>()?;
    Ok((!written.is_empty()).then_some(Json::Array(written)))
}
