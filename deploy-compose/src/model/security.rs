//! Security options.

use std::fs;

use serde_json::Value as Json;

use crate::{paths, read::At};

const OPTION: &str = "an option such as no-new-privileges:true or seccomp=unconfined";

/// An option as the Engine takes it: as it stands, but for the path of a seccomp profile, in whose place its text comes.
pub(super) fn option(at: &At<'_>) -> Option<String> {
    let text = at.text()?;
    let (name, value) = match text.split_once('=').or_else(|| text.split_once(':')) {
        Some(parts) => parts,
        None if text == "no-new-privileges" => return Some(text),
        None => return at.or_expected(None, OPTION),
    };
    if name != "seccomp" || matches!(value, "unconfined" | "builtin") {
        return Some(text);
    }
    let path = paths::resolve(at.cx.directory, value, at.cx.environment);
    let shown = paths::shown(at.cx.directory, &path);
    let profile = match fs::read(&path) {
        Ok(profile) => serde_json::from_slice::<Json>(&profile).map_err(|error| error.to_string()),
        Err(error) => {
            at.problem(format!("expected a readable file at {shown}, but found: {error}"));
            return None;
        }
    };
    match profile {
        Ok(profile) => Some(format!("seccomp={profile}")),
        Err(error) => {
            at.problem(format!("expected a seccomp profile as JSON in {shown}, but found: {error}"));
            None
        }
    }
}
