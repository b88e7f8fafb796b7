//! What bound paths are, as they lie on this host.

use deploy_compose::model::{MountKind, Project};
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Larger files stay bound: they are hardly configuration, and a payload is read whole.
const LARGEST: u64 = 1024 * 1024;

/// What lies at a path that a service binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BoundPath {
    /// A folder, or something that will be made one.
    Folder,
    /// A file that can be copied.
    File(BoundFile),
    /// A file that is too large to be copied, or can't be read.
    Uncopied {
        /// Why.
        why: String,
    },
    /// A socket, a device: neither configuration nor data.
    Special,
}

/// A file with what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BoundFile {
    pub(crate) content: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl BoundFile {
    /// Whether it is read as text: then it is configuration, also where the container may write to it.
    pub(crate) fn is_text(&self) -> bool {
        !self.content.is_empty() && !self.content.contains(&0) && std::str::from_utf8(&self.content).is_ok()
    }
}

/// Everything that the project's services bind.
pub(crate) type BoundPaths = BTreeMap<PathBuf, BoundPath>;

/// Looks at every path that a service binds.
pub(crate) fn look(project: &Project) -> BoundPaths {
    let mounts = project.services.values().flat_map(|service| &service.volumes);
    let sources = mounts.filter_map(|mount| match &mount.kind {
        MountKind::Bind(bind) => Some(&bind.source),
        _ => None,
    });
    sources.map(|source| (source.clone(), look_at(source))).collect()
}

fn look_at(path: &Path) -> BoundPath {
    let uncopied = |error: io::Error| BoundPath::Uncopied { why: error.to_string() };
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return missing(path),
        Err(error) => return uncopied(error),
    };
    let kind = found.file_type();
    if kind.is_dir() {
        return BoundPath::Folder;
    }
    if kind.is_socket() || kind.is_fifo() || kind.is_char_device() || kind.is_block_device() {
        return BoundPath::Special;
    }
    if found.len() > LARGEST {
        return BoundPath::Uncopied { why: "it is larger than 1 MiB".to_owned() };
    }
    match fs::read(path) {
        Ok(content) => {
            BoundPath::File(BoundFile { content, mode: found.mode() & 0o7777, uid: found.uid(), gid: found.gid() })
        }
        Err(error) => uncopied(error),
    }
}

/// What isn't on this host may be on the Engine's: a socket is called so, and all else will be made a folder.
fn missing(path: &Path) -> BoundPath {
    match path.extension().is_some_and(|extension| extension == "sock") {
        true => BoundPath::Special,
        false => BoundPath::Folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_there_decides() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("text"), "listen 80;\n").unwrap();
        fs::write(at("data"), b"SQLite format 3\0").unwrap();
        fs::write(at("large"), vec![b'x'; 2 * 1024 * 1024]).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let is_text = |name: &str| match look_at(&at(name)) {
            BoundPath::File(file) => file.is_text(),
            other => panic!("{other:?}"),
        };
        assert!(is_text("text"));
        assert!(!is_text("data"));
        assert!(matches!(look_at(&at("large")), BoundPath::Uncopied { .. }));
        assert_eq!(look_at(&at("socket")), BoundPath::Special);
        assert_eq!(look_at(folder.path()), BoundPath::Folder);
        assert_eq!(look_at(&at("missing")), BoundPath::Folder);
        assert_eq!(look_at(&at("docker.sock")), BoundPath::Special);
        drop(socket);
    }
}
