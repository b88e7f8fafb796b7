//! Secrets and configs that a service gets.

use serde::{Deserialize, Serialize};

use super::{Key, is_default, put};
use crate::{declared::Kind, read::At};

/// A secret or config as a file inside a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its key in the file.
    pub source: Key,
    /// The absolute path inside the container.
    pub target: String,
    /// The file's owner inside the container.
    #[serde(default, skip_serializing_if = "is_default")]
    pub uid: Option<u32>,
    /// The file's group inside the container.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gid: Option<u32>,
    /// The file's mode bits inside the container.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: Option<u32>,
}

impl Grant {
    /// The grants of a service; of two with the same target the later one stands.
    pub(crate) fn read_all(at: &At<'_>, kind: Kind) -> Vec<Self> {
        let mut grants = Vec::new();
        for at in at.items() {
            if let Some(grant) = Self::read(&at, kind) {
                put(&mut grants, grant, |a, b| a.target == b.target);
            }
        }
        grants
    }

    fn read(at: &At<'_>, kind: Kind) -> Option<Self> {
        if !at.is_map() {
            let key = at.text()?;
            let source = at.declared(kind, at.place(), &key)?;
            return Some(Self { target: target(kind, &key), source, uid: None, gid: None, mode: None });
        }
        let mut fields = at.fields();
        let source = match fields.take("source") {
            Some(at) => at.text().and_then(|key| at.declared(kind, at.place(), &key)),
            None => at.or_expected(None, "a map with the key `source`"),
        };
        let written_target = fields.text("target");
        const NUMBER: &str = "a number, because names are each image's own";
        let mut number = |key| fields.take_set(key).and_then(|at| at.whole(NUMBER));
        let (uid, gid) = (number("uid"), number("gid"));
        let mode = fields.take("mode").and_then(|at| at.mode());
        fields.finish();
        let source = source?;
        let target = target(kind, written_target.as_deref().unwrap_or(source.as_str()));
        Some(Self { source, target, uid, gid, mode })
    }
}

/// Relative targets are below the folder where containers look for secrets and configs.
fn target(kind: Kind, name: &str) -> String {
    match kind {
        _ if name.starts_with('/') => name.to_owned(),
        Kind::Secret => format!("/run/secrets/{name}"),
        _ => format!("/{name}"),
    }
}
