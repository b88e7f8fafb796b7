//! What instances are started from.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use deploy_core::model::{Millis, Payload, Release, ReleaseId};
use deploy_core::target::TargetError;
use serde::{Deserialize, Serialize};

/// The format of stored payloads that this version writes, and the newest that it reads.
const FORMAT: u16 = 1;

/// Which build of an executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Artifact {
    /// In bytes.
    size: u64,
    /// When it was last written, in nanoseconds.
    written: i64,
}

impl Artifact {
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let found = path.metadata().ok()?;
        let written = found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec());
        Some(Self { size: found.len(), written })
    }
}

/// All that an instance is started from: the release's identity is a hash of this.
///
/// No `Debug`: an environment may hold secrets.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct LocalPayload {
    pub(crate) command: PathBuf,
    pub(crate) artifact: Artifact,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) folder: PathBuf,
    pub(crate) stop_by: Millis,
}

impl LocalPayload {
    /// What a definition was rendered to.
    pub(crate) fn read(release: &ReleaseId, payload: &Payload) -> Result<Self, TargetError> {
        serde_json::from_str(payload.expose()).map_err(|error| damaged(release, &error))
    }

    /// A release is what was deployed, never what stands at its path by now.
    pub(crate) fn check_artifact(&self, release: &ReleaseId) -> Result<(), TargetError> {
        match Artifact::of(&self.command) {
            Some(found) if found == self.artifact => Ok(()),
            found => Err(TargetError::Rejected {
                why: format!(
                    "expected {} as it was when {release} was made, but found {}; deploy what is there as a new release",
                    self.command.display(),
                    if found.is_some() { "another build" } else { "none" }
                ),
            }),
        }
    }
}

/// Variables that instances inherit.
pub(crate) fn inherited() -> impl Iterator<Item = (&'static OsStr, std::ffi::OsString)> {
    ["PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"]
        .into_iter()
        .filter_map(|name| std::env::var_os(name).map(|value| (OsStr::new(name), value)))
}

/// A payload as the store keeps it, with the release that it belongs to.
#[derive(Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) release: Release,
    pub(crate) payload: LocalPayload,
}

#[derive(Serialize, Deserialize)]
struct Header<T> {
    format: u16,
    #[serde(flatten)]
    content: T,
}

impl Stored {
    /// What was stored, if this version can read it.
    pub(crate) fn read(release: &ReleaseId, payload: &Payload) -> Result<Self, TargetError> {
        let header: Header<serde::de::IgnoredAny> =
            serde_json::from_str(payload.expose()).map_err(|error| damaged(release, &error))?;
        if header.format > FORMAT {
            let why = format!("the configuration of {release} has format {}; use a newer deploy", header.format);
            return Err(TargetError::Rejected { why });
        }
        let stored: Header<Self> = serde_json::from_str(payload.expose()).map_err(|error| damaged(release, &error))?;
        Ok(stored.content)
    }

    /// As it is stored.
    pub(crate) fn text(&self) -> Result<Payload, TargetError> {
        let text = serde_json::to_string(&Header { format: FORMAT, content: self });
        text.map(Payload::new).map_err(|error| damaged(&self.release.id, &error))
    }
}

fn damaged(release: &ReleaseId, error: &serde_json::Error) -> TargetError {
    let why = format!("expected the configuration of {release}, but found it damaged ({error}); deploy it again");
    TargetError::Rejected { why }
}
