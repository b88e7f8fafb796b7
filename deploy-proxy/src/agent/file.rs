//! State files: written whole or not at all, and refused where a newer version wrote them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Refusal;

/// Replaces a file in one step: after a crash it is the old one or the new one. Only its owner may read it.
///
/// Two writers of one file must not run at once: they share the temporary name.
///
/// # Errors
/// [`Refusal::Storage`]; the old file is then still there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    replace(path, bytes)
        .and_then(|()| path.parent().map_or(Ok(()), sync_folder))
        .map_err(|error| Refusal::storage("write", path, &error))
}

/// As [`write()`], but a crash of the whole machine may bring the old file back.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.tmp"));
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&beside, path)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder that only its owner may enter; one that exists stays as it is.
///
/// # Errors
/// [`Refusal::Storage`].
pub fn folder(path: &Path) -> Result<(), Refusal> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Refusal::storage("make", path, &error))
}

/// A file's bytes, or `None` where there is no such file.
///
/// # Errors
/// [`Refusal::Storage`].
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Refusal> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Refusal::storage("read", path, &error)),
    }
}

/// Takes a file away; it may be gone already.
///
/// # Errors
/// [`Refusal::Storage`].
pub fn remove(path: &Path) -> Result<(), Refusal> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Refusal::storage("remove", path, &error)),
        _ => Ok(()),
    }
}

/// What is stored, under the header that every state file begins with.
#[derive(Serialize, Deserialize)]
struct Stored<T> {
    format: u16,
    min_reader: u16,
    #[serde(flatten)]
    content: T,
}

#[derive(Deserialize)]
struct Header {
    min_reader: u16,
}

/// The text of a state file in this format, readable from this format on.
///
/// # Errors
/// [`Refusal::Storage`], where the content can't be JSON.
pub fn versioned<T: Serialize>(path: &Path, format: u16, content: &T) -> Result<Vec<u8>, Refusal> {
    let stored = Stored { format, min_reader: format, content };
    serde_json::to_vec(&stored).map_err(|error| Refusal::storage("write", path, &error.into()))
}

/// The content of a state file, or `None` where there is no such file. The header is looked at alone, so that a newer
/// file is told from a damaged one.
///
/// # Errors
/// [`Refusal::NewerState`] or [`Refusal::DamagedState`]; [`Refusal::Storage`] where it can't be read.
pub fn read_versioned<T: DeserializeOwned>(path: &Path, newest: u16) -> Result<Option<T>, Refusal> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let damaged = |error: serde_json::Error| Refusal::DamagedState { path: path.to_owned(), reason: error.to_string() };
    let needed = serde_json::from_slice::<Header>(&bytes).map_err(damaged)?.min_reader;
    if needed > newest {
        return Err(Refusal::NewerState { path: path.to_owned(), newest, needed });
    }
    let stored: Stored<T> = serde_json::from_slice(&bytes).map_err(damaged)?;
    Ok(Some(stored.content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_was_written_is_read_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert_eq!(read_versioned::<Vec<u8>>(&path, 1).unwrap(), None);
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["a.json"]);
    }

    #[test]
    fn newer_and_damaged_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write(&path, br#"{"format":3,"min_reader":2,"shape":"unknown"}"#).unwrap();
        let found = read_versioned::<std::collections::BTreeMap<String, u8>>(&path, 1);
        assert!(matches!(found, Err(Refusal::NewerState { needed: 2, newest: 1, .. })), "{found:?}");
        let whole = br#"{"format":1,"min_reader":1,"a":1}"#;
        for cut in 0..whole.len() {
            write(&path, &whole[..cut]).unwrap();
            let found = read_versioned::<std::collections::BTreeMap<String, u8>>(&path, 1);
            assert!(matches!(found, Err(Refusal::DamagedState { .. })), "cut at {cut}: {found:?}");
        }
    }
}
