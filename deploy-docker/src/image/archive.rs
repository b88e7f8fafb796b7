use super::ignore::Ignore;
use bytes::Bytes;
use futures_util::{Stream, stream};
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};
use tokio::{sync::mpsc, task::JoinHandle};

/// How much is sent at a time, in bytes.
const PIECE: usize = 64 * 1024;
/// How many pieces wait to be sent.
const PIECES: usize = 16;
/// What a Dockerfile from outside of the context is called in the archive.
const OUTSIDE: &str = ".deploy.Dockerfile";

/// What the builder gets to see of a folder.
#[derive(Debug)]
pub(super) struct Context {
    folder: PathBuf,
    /// The Dockerfile, absolute.
    dockerfile: PathBuf,
    ignore: Ignore,
}

impl Context {
    /// Looks at a folder: its Dockerfile must be there; `.dockerignore` may be.
    ///
    /// # Errors
    /// Where the Dockerfile isn't there, or something can't be read: the path that it is about, too.
    pub(super) fn open(folder: &Path, dockerfile: Option<&str>) -> Result<Self, (PathBuf, io::Error)> {
        let dockerfile = folder.join(dockerfile.unwrap_or("Dockerfile"));
        fs::metadata(&dockerfile).map_err(|error| (dockerfile.clone(), error))?;
        let mut own = dockerfile.clone().into_os_string();
        own.push(".dockerignore");
        for path in [PathBuf::from(own), folder.join(".dockerignore")] {
            match fs::read_to_string(&path) {
                Ok(text) => return Ok(Self { folder: folder.to_owned(), dockerfile, ignore: Ignore::parse(&text) }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err((path, error)),
            }
        }
        Ok(Self { folder: folder.to_owned(), dockerfile, ignore: Ignore::default() })
    }

    /// The Dockerfile's name in the archive.
    pub(super) fn dockerfile(&self) -> String {
        let inside = self.dockerfile.strip_prefix(&self.folder).ok();
        let inside =
            inside.filter(|path| path.components().all(|part| matches!(part, std::path::Component::Normal(_))));
        inside.map_or_else(|| OUTSIDE.to_owned(), |path| path.to_string_lossy().into_owned())
    }

    /// The archive, made while it is sent, and the task that makes it: it knows what went wrong here.
    pub(super) fn send(self) -> (impl Stream<Item = io::Result<Bytes>> + Send + 'static, JoinHandle<io::Result<()>>) {
        let (sender, receiver) = mpsc::channel(PIECES);
        let task = tokio::task::spawn_blocking(move || {
            let mut pieces = Pieces { sender, buffer: Vec::with_capacity(PIECE) };
            let written = self.write(&mut pieces);
            match written {
                Ok(()) => pieces.flush(),
                Err(error) => {
                    let copy = io::Error::new(error.kind(), error.to_string());
                    let _ = pieces.sender.blocking_send(Err(copy));
                    Err(error)
                }
            }
        });
        let pieces = stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) });
        (pieces, task)
    }

    fn write(&self, to: impl Write) -> io::Result<()> {
        let mut archive = tar::Builder::new(to);
        self.add_folder(&mut archive, Path::new(""))?;
        let dockerfile = self.dockerfile();
        if dockerfile == OUTSIDE || self.ignore.excludes(Path::new(&dockerfile)) {
            add(&mut archive, &self.dockerfile, Path::new(&dockerfile))?;
        }
        archive.finish()
    }

    /// In the order of names, so that the same folder makes the same archive.
    fn add_folder<W: Write>(&self, archive: &mut tar::Builder<W>, below: &Path) -> io::Result<()> {
        let mut entries = fs::read_dir(self.folder.join(below))?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = below.join(entry.file_name());
            let is_folder = entry.file_type()?.is_dir();
            let is_excluded = self.ignore.excludes(&path);
            if !is_excluded {
                add(archive, &entry.path(), &path)?;
            }
            if is_folder && (!is_excluded || self.ignore.may_keep_below()) {
                self.add_folder(archive, &path)?;
            }
        }
        Ok(())
    }
}

/// Adds one file, folder or link, owned by root; sockets and the like are left out.
fn add<W: Write>(archive: &mut tar::Builder<W>, from: &Path, name: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(from)?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&found);
    header.set_uid(0);
    header.set_gid(0);
    if found.is_symlink() {
        header.set_size(0);
        archive.append_link(&mut header, name, fs::read_link(from)?)
    } else if found.is_dir() {
        archive.append_data(&mut header, name, io::empty())
    } else if found.is_file() {
        archive.append_data(&mut header, name, io::Read::take(fs::File::open(from)?, found.len()))
    } else {
        Ok(())
    }
}

/// Hands over what is written, piece by piece.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the Engine doesn't take the context any more");
        self.sender.blocking_send(Ok(piece.into())).map_err(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;
    use std::collections::BTreeMap;

    /// The names in the archive, with the length of files and the aim of links.
    async fn archived(context: Context) -> BTreeMap<String, String> {
        let (pieces, task) = context.send();
        let bytes: Vec<Bytes> = pieces.try_collect().await.unwrap();
        task.await.unwrap().unwrap();
        let bytes = bytes.concat();
        let mut archive = tar::Archive::new(&bytes[..]);
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let name = entry.path().unwrap().to_string_lossy().into_owned();
            let what = match entry.link_name().unwrap() {
                Some(link) => format!("-> {}", link.display()),
                None => entry.size().to_string(),
            };
            (name, what)
        });
        entries.collect()
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["src/bin", "target", "docs"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for (name, text) in
            [("Dockerfile", "FROM x"), ("src/bin/a.rs", "fn"), ("target/app", "elf"), ("docs/keep.md", "k")]
        {
            fs::write(at(name), text).unwrap();
        }
        fs::write(at("large"), vec![1; 300_000]).unwrap();
        std::os::unix::fs::symlink("src", at("link")).unwrap();
        folder
    }

    #[tokio::test]
    async fn everything_is_sent_but_what_is_ignored() {
        let folder = folder();
        fs::write(folder.path().join(".dockerignore"), "target\ndocs\n!docs/keep.md\nDockerfile\n").unwrap();
        let context = Context::open(folder.path(), None).unwrap();
        assert_eq!(context.dockerfile(), "Dockerfile");
        let archived = archived(context).await;
        insta::assert_json_snapshot!(archived, @r#"
        {
          ".dockerignore": "37",
          "Dockerfile": "6",
          "docs/keep.md": "1",
          "large": "300000",
          "link": "-> src",
          "src": "0",
          "src/bin": "0",
          "src/bin/a.rs": "2"
        }
        "#);
    }

    #[tokio::test]
    async fn a_dockerfile_from_outside_is_sent_along() {
        let (folder, outside) = (folder(), tempfile::tempdir().unwrap());
        let path = outside.path().join("Other");
        fs::write(&path, "FROM outside").unwrap();
        let context = Context::open(folder.path(), path.to_str()).unwrap();
        assert_eq!(context.dockerfile(), OUTSIDE);
        assert_eq!(archived(context).await[OUTSIDE], "12");
    }

    #[test]
    fn a_missing_dockerfile_is_named() {
        let folder = folder();
        let (path, error) = Context::open(folder.path(), Some("nope")).unwrap_err();
        assert_eq!((path, error.kind()), (folder.path().join("nope"), io::ErrorKind::NotFound));
    }
}
