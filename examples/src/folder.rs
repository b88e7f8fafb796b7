use deploy_core::{
    model::Fence,
    target::{Cx, TargetError},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

/// Who may deploy, as `lease.json` tells.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Keeper {
    /// The fence of whoever took the lease last. It only grows.
    pub(crate) newest: Fence,
    pub(crate) holder: String,
    /// Milliseconds since 1970; none once the lease was given back.
    pub(crate) until: Option<u64>,
}

/// The folder, for one process at a time: looking at the fence and acting on it are one thing.
pub(crate) struct Locked {
    pub(crate) keeper: Keeper,
    path: PathBuf,
    _lock: File,
}

/// How often a lock is tried for, and the pause between. It is held for the time of a few writes.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(10);

impl Locked {
    /// Waits at most 2 s: a holder that was frozen just then would keep everybody else waiting.
    pub(crate) async fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let (lock, path) = (File::create(folder.join("lock"))?, folder.join("lease.json"));
        for _ in 0..TRIES {
            match lock.try_lock() {
                Ok(()) => {
                    let keeper = read(&path)?.unwrap_or_default();
                    return Ok(Self { keeper, path, _lock: lock });
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let why = format!("expected the lock of {} within 2 s, but another process keeps it", folder.display());
        Err(io::Error::new(io::ErrorKind::WouldBlock, why))
    }

    /// The same for a target's change, which a deployer with an older fence than the newest may not make.
    pub(crate) async fn for_change(folder: &Path, cx: &Cx) -> Result<Self, TargetError> {
        let locked = Self::open(folder).await.map_err(unreachable)?;
        match locked.keeper.newest {
            newest if cx.fence < newest => Err(TargetError::Fenced { ours: cx.fence, newest }),
            _ => Ok(locked),
        }
    }

    /// Stores the keeper.
    pub(crate) fn save(&self) -> io::Result<()> {
        write(&self.path, &self.keeper)
    }
}

/// What is stored in a file, if it is there.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    there(fs::read(path))?.map(|bytes| Ok(serde_json::from_slice(&bytes)?)).transpose()
}

/// Stores it in a file that nobody else may read.
pub(crate) fn write(path: &Path, what: &impl Serialize) -> io::Result<()> {
    write_whole(path, &serde_json::to_vec(what)?, 0o600)
}

/// What isn't there is no error.
pub(crate) fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// As a target says it.
pub(crate) fn unreachable(error: io::Error) -> TargetError {
    TargetError::unreachable("the folder", error)
}

/// Writes a file so that after a crash it is as before or as written, never a part.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let new = path.with_added_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(mode).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_parent(path)
}

/// Makes a symbolic link lead elsewhere at once, or nowhere.
pub(crate) fn switch_link(link: &Path, to: Option<&Path>) -> io::Result<()> {
    match to {
        Some(to) => {
            let new = link.with_added_extension("new");
            there(fs::remove_file(&new))?;
            symlink(to, &new)?;
            fs::rename(&new, link)?;
        }
        None => there(fs::remove_file(link)).map(drop)?,
    }
    sync_parent(link)
}

/// Makes a name durable that was made, moved or removed in a folder.
fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
