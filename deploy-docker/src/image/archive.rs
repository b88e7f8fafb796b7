use super::{Builder, Recipe, ignore::Ignore};
use bytes::Bytes;
use futures_util::{Stream, stream};
use std::{
    collections::BTreeMap,
    fs, io,
    io::Write,
    path::{Component, Path, PathBuf},
};
use tokio::{sync::mpsc, task::JoinHandle};

/// How much is sent at a time, in bytes.
const PIECE: usize = 64 * 1024;
/// How many pieces wait to be sent.
const PIECES: usize = 16;
/// What a Dockerfile that isn't a file of the context is called in the archive.
const APART: &str = ".deploy.Dockerfile";
const IGNORE: &str = ".dockerignore";

/// Where the builder's instructions are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dockerfile<'a> {
    /// In a file: its path, relative to the context; `None` is `Dockerfile`.
    File(Option<&'a str>),
    /// In the Compose file: their text.
    Text(&'a str),
}

/// What the builder gets to see of a folder.
#[derive(Debug)]
pub(super) struct Context {
    folder: PathBuf,
    /// The Dockerfile's name in the archive.
    name: String,
    /// Where the Dockerfile is, for people.
    source: String,
    /// The Dockerfile's content.
    text: Vec<u8>,
    ignore: Ignore,
    /// What is sent whatever the folder and its `.dockerignore` say: names and contents.
    apart: BTreeMap<String, Vec<u8>>,
}

impl Context {
    /// Looks at a folder for a builder: its Dockerfile must be there; `.dockerignore` may be.
    ///
    /// The classic builder reads `.dockerignore` too, and leaves out of the image what it was sent only to be read.
    /// BuildKit doesn't, but takes `NAME.dockerignore` beside the Dockerfile in its place.
    ///
    /// # Errors
    /// Where the Dockerfile isn't there, or something can't be read: the path that it is about, too.
    pub(super) fn open(
        folder: &Path,
        dockerfile: Dockerfile<'_>,
        builder: Builder,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let mut ignores = vec![folder.join(IGNORE)];
        let (name, source, text, is_link) = match dockerfile {
            Dockerfile::Text(text) => {
                fs::read_dir(folder).map_err(|error| (folder.to_owned(), error))?;
                (None, "`dockerfile_inline`".to_owned(), text.as_bytes().to_owned(), false)
            }
            Dockerfile::File(path) => {
                let path = folder.join(path.unwrap_or("Dockerfile"));
                let failed = |error| (path.clone(), error);
                let text = fs::read(&path).map_err(failed)?;
                let is_link = fs::symlink_metadata(&path).map_err(failed)?.is_symlink();
                if builder == Builder::BuildKit {
                    let mut own = path.clone().into_os_string();
                    own.push(IGNORE);
                    ignores.insert(0, own.into());
                }
                (inside(folder, &path), path.display().to_string(), text, is_link)
            }
        };
        let ignored = first(&ignores)?;
        let ignore = ignored.as_deref().map(Ignore::parse).unwrap_or_default();
        let is_excluded = |name: &str| ignore.excludes(Path::new(name));
        let mut apart = BTreeMap::new();
        if builder == Builder::Classic {
            match (&name, ignored) {
                (None, ignored) => {
                    let ignored = ignored.unwrap_or_else(|| IGNORE.to_owned());
                    apart.insert(IGNORE.to_owned(), format!("{ignored}\n{APART}\n").into_bytes());
                }
                (Some(_), Some(ignored)) if is_excluded(IGNORE) => {
                    apart.insert(IGNORE.to_owned(), ignored.into_bytes());
                }
                _ => {}
            }
        }
        if name.as_deref().is_none_or(|name| is_link || is_excluded(name)) {
            apart.insert(name.clone().unwrap_or_else(|| APART.to_owned()), text.clone());
        }
        Ok(Self {
            folder: folder.to_owned(),
            name: name.unwrap_or_else(|| APART.to_owned()),
            source,
            text,
            ignore,
            apart,
        })
    }

    /// The Dockerfile's name in the archive.
    pub(super) fn dockerfile(&self) -> &str {
        &self.name
    }

    /// Where the Dockerfile is, for people, and what it says.
    pub(super) fn recipe(&self) -> Recipe {
        Recipe { source: self.source.clone(), text: String::from_utf8_lossy(&self.text).into_owned() }
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
        for (name, content) in &self.apart {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, name, &content[..])?;
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
            if !is_excluded && !path.to_str().is_some_and(|path| self.apart.contains_key(path)) {
                add(archive, &entry.path(), &path)?;
            }
            if is_folder && (!is_excluded || self.ignore.may_keep_below()) {
                self.add_folder(archive, &path)?;
            }
        }
        Ok(())
    }
}

/// A path's name in the archive of a folder, if it lies in there.
fn inside(folder: &Path, path: &Path) -> Option<String> {
    let parts = path.strip_prefix(folder).ok()?.components();
    let name = parts.map(|part| matches!(part, Component::Normal(_)).then_some(part)).collect::<Option<PathBuf>>()?;
    name.to_str().map(str::to_owned)
}

/// The text of the first file that is there.
fn first(paths: &[PathBuf]) -> Result<Option<String>, (PathBuf, io::Error)> {
    for path in paths {
        match fs::read_to_string(path) {
            Ok(text) => return Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err((path.clone(), error)),
        }
    }
    Ok(None)
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

    fn open(folder: &tempfile::TempDir, dockerfile: Dockerfile<'_>, builder: Builder) -> Context {
        Context::open(folder.path(), dockerfile, builder).unwrap()
    }

    const OWN: Dockerfile<'static> = Dockerfile::File(None);

    #[tokio::test]
    async fn everything_is_sent_but_what_is_ignored() {
        let folder = folder();
        fs::write(folder.path().join(".dockerignore"), "target\ndocs\n!docs/keep.md\nDockerfile\n").unwrap();
        for builder in [Builder::BuildKit, Builder::Classic] {
            let context = open(&folder, OWN, builder);
            assert_eq!(context.dockerfile(), "Dockerfile");
            let archived = archived(context).await;
            insta::allow_duplicates!(insta::assert_json_snapshot!(archived, @r#"
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
            "#));
        }
    }

    #[tokio::test]
    async fn a_dockerfiles_own_list_is_buildkits() {
        let folder = folder();
        fs::write(folder.path().join(".dockerignore"), "docs").unwrap();
        fs::write(folder.path().join("Dockerfile.dockerignore"), "target").unwrap();
        for (builder, left_out, sent) in [(Builder::BuildKit, "target", "docs"), (Builder::Classic, "docs", "target")] {
            let archived = archived(open(&folder, OWN, builder)).await;
            assert!(!archived.contains_key(left_out) && archived.contains_key(sent), "{builder:?}: {archived:?}");
        }
    }

    #[tokio::test]
    async fn a_dockerfile_from_outside_is_sent_along() {
        let (folder, outside) = (folder(), tempfile::tempdir().unwrap());
        let path = outside.path().join("Other");
        fs::write(&path, "FROM outside").unwrap();
        let context = open(&folder, Dockerfile::File(path.to_str()), Builder::BuildKit);
        assert_eq!(context.dockerfile(), APART);
        let archived = archived(context).await;
        assert_eq!(archived[APART], "12");
        assert!(!archived.contains_key(IGNORE));
    }

    /// The classic builder takes away what its list names, so that `COPY .` doesn't find it.
    #[tokio::test]
    async fn the_classic_builder_is_told_what_is_only_to_be_read() {
        let folder = folder();
        let text = Dockerfile::Text("FROM inline");
        let added = format!("{IGNORE}\n{APART}\n");
        assert_eq!(archived(open(&folder, text, Builder::Classic)).await[IGNORE], added.len().to_string());
        fs::write(folder.path().join(IGNORE), "*").unwrap();
        let found = archived(open(&folder, text, Builder::Classic)).await;
        assert_eq!((found.len(), found[APART].as_str()), (2, "11"), "{found:?}");
        assert_eq!(found[IGNORE], format!("*\n{APART}\n").len().to_string());
        let found = archived(open(&folder, OWN, Builder::Classic)).await;
        assert_eq!((found.len(), found[IGNORE].as_str(), found["Dockerfile"].as_str()), (2, "1", "6"), "{found:?}");
    }

    #[tokio::test]
    async fn a_dockerfile_that_is_a_link_is_sent_as_what_it_leads_to() {
        let (folder, outside) = (folder(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("real"), "FROM elsewhere").unwrap();
        std::os::unix::fs::symlink(outside.path().join("real"), folder.path().join("Linked")).unwrap();
        let context = open(&folder, Dockerfile::File(Some("./Linked")), Builder::BuildKit);
        assert_eq!((context.dockerfile(), context.recipe().text.as_str()), ("Linked", "FROM elsewhere"));
        assert_eq!(archived(context).await["Linked"], "14");
    }

    #[test]
    fn a_missing_dockerfile_is_named() {
        let folder = folder();
        let missing = Dockerfile::File(Some("nope"));
        let (path, error) = Context::open(folder.path(), missing, Builder::BuildKit).unwrap_err();
        assert_eq!((path, error.kind()), (folder.path().join("nope"), io::ErrorKind::NotFound));
    }
}
