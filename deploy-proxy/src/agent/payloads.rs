//! Payloads of releases, and the key that releases are named under.

use std::fs;
use std::io;
use std::path::PathBuf;

use deploy_core::model::{Fence, ReleaseId};
use rustix::rand::{GetRandomFlags, getrandom};

use super::state::file_name;
use super::{Key, Refusal, Secret, State, file};

impl State {
    fn payload(&self, release: &ReleaseId) -> Result<PathBuf, Refusal> {
        Ok(self.path("payloads").join(file_name(release.as_str())?))
    }

    /// Keeps a release's payload, durably.
    ///
    /// # Errors
    /// [`Refusal::NotHeld`], [`Refusal::Ended`], [`Refusal::BadName`] or [`Refusal::Storage`].
    pub(super) fn store_payload(&self, fence: Fence, release: &ReleaseId, payload: &Secret) -> Result<(), Refusal> {
        let path = self.payload(release)?;
        self.while_held(fence, || {
            file::folder(&self.path("payloads"))?;
            file::write(&path, payload.0.as_bytes())
        })?
    }

    /// A release's payload; none where none is kept.
    pub(super) fn load_payload(&self, release: &ReleaseId) -> Result<Option<Secret>, Refusal> {
        let path = self.payload(release)?;
        let damaged = |error: std::string::FromUtf8Error| Refusal::DamagedState {
            path: path.clone(),
            reason: error.utf8_error().to_string(),
        };
        file::read(&path)?.map(|bytes| String::from_utf8(bytes).map(Secret).map_err(damaged)).transpose()
    }

    /// The releases with a payload, in order.
    pub(super) fn payloads(&self) -> Result<Vec<ReleaseId>, Refusal> {
        let folder = self.path("payloads");
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| Refusal::storage("read", &folder, &error))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| Refusal::storage("read", &folder, &error))?.file_name();
            // what is only half written has a hidden name
            found.extend(name.to_str().and_then(|name| file_name(name).ok()).map(ReleaseId::new));
        }
        found.sort();
        Ok(found)
    }

    /// Takes a payload away; it may be gone already.
    pub(super) fn remove_payload(&self, fence: Fence, release: &ReleaseId) -> Result<(), Refusal> {
        let path = self.payload(release)?;
        self.while_held(fence, || file::remove(&path))?
    }

    /// The folder's key, made when it is asked for first.
    ///
    /// # Errors
    /// [`Refusal::DamagedState`] where the file isn't a key; [`Refusal::Storage`].
    pub(super) fn key(&self) -> Result<Key, Refusal> {
        let path = self.path("key");
        let _lock = self.lock()?;
        if let Some(bytes) = file::read(&path)? {
            let reason = format!("expected 32 bytes, but found {}", bytes.len());
            return bytes.try_into().map(Key).map_err(|_| Refusal::DamagedState { path, reason });
        }
        let mut key = [0; 32];
        let filled = getrandom(&mut key, GetRandomFlags::empty());
        if filled != Ok(key.len()) {
            let error = filled.err().map_or_else(|| io::ErrorKind::UnexpectedEof.into(), io::Error::from);
            return Err(Refusal::storage("make", &path, &error));
        }
        file::write(&path, &key)?;
        Ok(Key(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    #[test]
    fn a_payload_is_kept_under_the_newest_fence_only() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path().join("state"), Duration::from_secs(15)).unwrap();
        let release = ReleaseId::new("web-00ff");
        assert_eq!(state.payloads().unwrap(), []);
        let first = state.take("a").unwrap();
        state.store_payload(first.grant.fence, &release, &Secret("one".into())).unwrap();
        state.free(first.grant.fence).unwrap();
        let second = state.take("b").unwrap();
        let stale = state.store_payload(first.grant.fence, &release, &Secret("two".into()));
        assert!(matches!(stale, Err(Refusal::NotHeld { .. })), "{stale:?}");
        let stale = state.remove_payload(first.grant.fence, &release);
        assert!(matches!(stale, Err(Refusal::NotHeld { .. })), "{stale:?}");
        assert_eq!(state.load_payload(&release).unwrap(), Some(Secret("one".into())));
        assert_eq!(state.payloads().unwrap(), std::slice::from_ref(&release));
        let mode = |path: &str| fs::metadata(state.path(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("payloads"), mode("payloads/web-00ff"), mode("")), (0o700, 0o600, 0o700));
        state.remove_payload(second.grant.fence, &release).unwrap();
        state.remove_payload(second.grant.fence, &release).unwrap();
        assert_eq!(state.load_payload(&release).unwrap(), None);
    }

    #[test]
    fn the_key_is_made_once_and_a_short_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path(), Duration::from_secs(15)).unwrap();
        let key = state.key().unwrap();
        assert_ne!(key.expose(), &[0; 32]);
        assert_eq!(state.key().unwrap(), key);
        assert_eq!(fs::metadata(state.path("key")).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(state.path("key"), b"short").unwrap();
        assert!(matches!(state.key(), Err(Refusal::DamagedState { .. })));
    }
}
