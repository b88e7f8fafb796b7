//! Routes on disk: one file a service, replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::control::RouteState;

/// The version of the file that is written.
const FORMAT: u32 = 1;

/// The first line of the file, understood by every version.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    /// The oldest version that may read the second line.
    min_reader: u32,
    /// Of the second line without its line feed.
    crc32: u32,
}

/// Why a file's routes are not used.
#[derive(Debug, Error)]
pub enum BadState {
    /// It can't be read.
    #[error("could not read it")]
    Io(#[from] io::Error),
    /// It is torn or was changed.
    #[error("expected routes with a matching checksum, but found {found}")]
    Damaged {
        /// What is wrong with it.
        found: String,
    },
    /// A newer version wrote it.
    #[error("expected format {FORMAT} or older, but found one that only readers of {min_reader} and newer understand")]
    Newer {
        /// The oldest version that may read it.
        min_reader: u32,
    },
}

/// What was found on disk.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) state: RouteState,
    /// Why the newest file was not used, and what was used instead.
    pub(crate) complaint: Option<String>,
}

/// The files of one service in the state folder.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    service: String,
}

impl Store {
    /// Creates the folder where it is missing.
    pub(crate) fn new(folder: &Path, service: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), service: service.to_owned() })
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.folder.join(format!("{}.{suffix}", self.service))
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("sock")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.path("lock")
    }

    /// The routes stored last. Where those can't be used, their file is put aside and the ones before are taken, so that
    /// the service goes on being served.
    pub(crate) fn load(&self) -> Loaded {
        let (current, previous) = (self.path("routes.json"), self.path("routes.json.previous"));
        let bad = match read(&current) {
            Ok(Some(state)) => return Loaded { state, complaint: None },
            Ok(None) if !previous.exists() => return Loaded::default(),
            Ok(None) => BadState::Damaged { found: "no file beside the one before".to_owned() },
            Err(bad) => bad,
        };
        let aside = self.path("routes.json.refused");
        let kept = match fs::rename(&current, &aside) {
            Ok(()) => format!("; it is kept as {}", aside.display()),
            Err(_) => String::new(),
        };
        let refused = format!("could not use {}: {}{kept}", current.display(), chain(&bad));
        match read(&previous) {
            Ok(Some(state)) => {
                let complaint = format!("{refused}; the routes before, revision {}, are in force", state.revision);
                Loaded { state, complaint: Some(complaint) }
            }
            Ok(None) => {
                Loaded { state: RouteState::default(), complaint: Some(format!("{refused}; no routes are in force")) }
            }
            Err(worse) => {
                let complaint =
                    format!("{refused}; nor {}: {}; no routes are in force", previous.display(), chain(&worse));
                Loaded { state: RouteState::default(), complaint: Some(complaint) }
            }
        }
    }

    /// Replaces the stored routes. When this returns they are durable, and a crash at any moment before leaves the old
    /// ones or the new ones.
    pub(crate) fn save(&self, state: &RouteState) -> io::Result<()> {
        let (current, temporary) = (self.path("routes.json"), self.path("routes.json.new"));
        let body = serde_json::to_string(state)?;
        let header = Header { format: FORMAT, min_reader: FORMAT, crc32: crc32fast::hash(body.as_bytes()) };
        let mut file = File::create(&temporary)?;
        writeln!(file, "{}\n{body}", serde_json::to_string(&header)?)?;
        file.sync_all()?;
        self.keep_previous(&current)?;
        fs::rename(&temporary, &current)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Gives the current file a second name, so that there is no moment without it.
    fn keep_previous(&self, current: &Path) -> io::Result<()> {
        let (previous, link) = (self.path("routes.json.previous"), self.path("routes.json.link"));
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        match fs::hard_link(current, &link) {
            Ok(()) => fs::rename(&link, &previous),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The routes that a service's proxy, which needn't run, stored last in its state folder; none where it never did.
///
/// # Errors
///
/// [`BadState`] where the file can't be used. A proxy that starts puts it aside.
pub fn stored_routes(folder: &Path, service: &str) -> Result<Option<RouteState>, BadState> {
    read(&folder.join(format!("{service}.routes.json")))
}

fn read(path: &Path) -> Result<Option<RouteState>, BadState> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let damaged = |found: &str| BadState::Damaged { found: found.to_owned() };
    let mut lines = text.split(|byte| *byte == b'\n');
    let header: Header = lines
        .next()
        .and_then(|line| serde_json::from_slice(line).ok())
        .ok_or_else(|| damaged("no header in the first line"))?;
    if header.min_reader > FORMAT {
        return Err(BadState::Newer { min_reader: header.min_reader });
    }
    let (Some(body), Some(_)) = (lines.next(), lines.next()) else {
        return Err(damaged("a second line without its end"));
    };
    if crc32fast::hash(body) != header.crc32 {
        return Err(damaged("a second line with another checksum"));
    }
    serde_json::from_slice(body).map(Some).map_err(|error| damaged(&error.to_string()))
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use deploy_core::model::{DeploymentId, Fence};

    use super::*;

    fn state(revision: u64) -> RouteState {
        RouteState { revision, fence: Fence(3), deployment: Some(DeploymentId(1)), ..RouteState::default() }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), "web").unwrap();
        (folder, store)
    }

    #[test]
    fn routes_come_back() {
        let (_folder, store) = store();
        let none = store.load();
        assert_eq!((none.state, none.complaint), (RouteState::default(), None));
        for revision in 1..4 {
            store.save(&state(revision)).unwrap();
            let loaded = store.load();
            assert_eq!((loaded.state, loaded.complaint), (state(revision), None));
        }
    }

    #[test]
    fn a_file_cut_anywhere_or_with_a_flipped_bit_is_refused_and_the_one_before_is_used() {
        let (_folder, store) = store();
        let current = store.path("routes.json");
        store.save(&state(1)).unwrap();
        store.save(&state(2)).unwrap();
        let whole = fs::read(&current).unwrap();
        for damage in 0..whole.len() * 2 {
            let mut bytes = whole.clone();
            if damage % 2 == 0 {
                bytes.truncate(damage / 2 % bytes.len());
            } else {
                let at = damage / 2 % bytes.len();
                bytes[at] ^= 4;
            }
            fs::write(&current, &bytes).unwrap();
            let loaded = store.load();
            if loaded.complaint.is_none() {
                // A bit that changes nothing: in the header, the format may become an older one.
                assert_eq!(loaded.state, state(2), "damage {damage}");
                continue;
            }
            assert_eq!(loaded.state, state(1), "damage {damage}");
            assert!(store.path("routes.json.refused").exists());
            // And the next start says so again rather than taking it for a new service.
            assert!(store.load().complaint.is_some());
        }
    }

    #[test]
    fn a_file_of_a_newer_version_is_refused_by_its_header_alone() {
        let (_folder, store) = store();
        store.save(&state(1)).unwrap();
        store.save(&state(2)).unwrap();
        fs::write(store.path("routes.json"), "{\"format\":9,\"min_reader\":8,\"crc32\":0}\nwhatever\n").unwrap();
        let loaded = store.load();
        assert_eq!(loaded.state, state(1));
        let complaint = loaded.complaint.unwrap();
        assert!(complaint.contains("readers of 8 and newer"), "{complaint}");
    }

    #[test]
    fn a_write_that_was_interrupted_leaves_the_old_routes() {
        let (_folder, store) = store();
        store.save(&state(1)).unwrap();
        // Killed before the rename: a half-written new file and a link are lying about.
        fs::write(store.path("routes.json.new"), "{\"for").unwrap();
        fs::hard_link(store.path("routes.json"), store.path("routes.json.link")).unwrap();
        assert_eq!(store.load().state, state(1));
        store.save(&state(2)).unwrap();
        assert_eq!(store.load().state, state(2));
    }

    #[test]
    fn a_folder_that_cannot_be_written_changes_nothing() {
        let (folder, store) = store();
        store.save(&state(1)).unwrap();
        // A folder in the way fails for the superuser too.
        fs::create_dir(folder.path().join("web.routes.json.new")).unwrap();
        assert!(store.save(&state(2)).is_err());
        assert_eq!(store.load().state, state(1));
    }
}
