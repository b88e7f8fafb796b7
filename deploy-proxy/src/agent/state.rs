//! The state folder and its lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use deploy_core::model::Millis;

use super::{Refusal, file};

/// How long the folder's lock is waited for. It is held for single writes only, so that whoever keeps it is frozen.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// A project's state folder: lease, journal, payloads, key. Only its owner may enter it.
///
/// Every call blocks for as long as the disk takes.
#[derive(Clone, Debug)]
pub struct State {
    folder: PathBuf,
    pub(super) ttl: Duration,
    lock_wait: Duration,
}

/// The folder's lock, until it is dropped.
#[derive(Debug)]
pub(super) struct Locked {
    _file: File,
}

impl State {
    /// Opens a folder, which is made if it isn't there. A lease taken here holds for `ttl` unless it is renewed.
    ///
    /// # Errors
    /// [`Refusal::Storage`] where it can't be made.
    pub fn open(folder: impl Into<PathBuf>, ttl: Duration) -> Result<Self, Refusal> {
        let folder = folder.into();
        file::folder(&folder)?;
        Ok(Self { folder, ttl, lock_wait: LOCK_WAIT })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a service's proxy answers.
    pub fn socket(&self, service: &str) -> Result<PathBuf, Refusal> {
        Ok(self.folder.join(format!("{}.sock", file_name(service)?)))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Waits for the folder's lock, which one process of the host has at a time.
    pub(super) fn lock(&self) -> Result<Locked, Refusal> {
        let path = self.path(".lease.lock");
        let failed = |error: &std::io::Error| Refusal::storage("lock", &path, error);
        let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|error| failed(&error))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Locked { _file: file }),
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
                Err(TryLockError::WouldBlock) if begun.elapsed() >= self.lock_wait => {
                    return Err(Refusal::Locked { path, waited: Millis::from(self.lock_wait) });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

/// The name, if it can be a file's: never hidden, never another folder's.
pub(super) fn file_name(name: &str) -> Result<&str, Refusal> {
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    match fits && !name.is_empty() && !name.starts_with('.') && name.len() <= 200 {
        true => Ok(name),
        false => Err(Refusal::BadName { name: name.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deploy_core::model::Fence;

    #[test]
    fn a_lock_that_is_never_given_back_is_told_and_nothing_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path(), Duration::from_secs(15)).unwrap();
        let taken = state.take("a").unwrap();
        let frozen = state.lock().unwrap();
        let hasty = State { lock_wait: Duration::from_millis(20), ..state.clone() };
        let refused = hasty.while_held(taken.grant.fence, || panic!("acted"));
        assert!(matches!(refused, Err(Refusal::Locked { .. })), "{refused:?}");
        assert!(matches!(hasty.take("b"), Err(Refusal::Locked { .. })));
        drop(frozen);
        assert_eq!(hasty.while_held(Fence(1), || 7), Ok(7));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for bad in ["", ".", "..", "../web", "a/b", ".hidden", "a\0b", "wéb", &"a".repeat(201)] {
            assert!(matches!(file_name(bad), Err(Refusal::BadName { .. })), "{bad:?}");
        }
        for good in ["web-00ff", "a.b_c", "9"] {
            assert_eq!(file_name(good), Ok(good));
        }
    }
}
