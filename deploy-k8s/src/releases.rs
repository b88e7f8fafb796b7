use crate::state::{Held, Key, Known, Store};
use deploy_core::{
    model::{Fence, Payload, Release, ReleaseId, ServiceName},
    target::TargetError,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The releases in the store. While the lease is ours nobody else writes there, so that they are asked for once.
pub(crate) struct Releases {
    store: Store,
    held: Arc<Held>,
    lately: Mutex<Option<Lately>>,
}

/// What is known since a lease was taken.
struct Lately {
    fence: Fence,
    services: BTreeSet<ServiceName>,
    known: BTreeMap<ReleaseId, Known>,
}

impl Releases {
    pub(crate) fn new(store: Store, held: Arc<Held>) -> Self {
        Self { store, held, lately: Mutex::default() }
    }

    pub(crate) async fn key(&self) -> Result<Key, TargetError> {
        self.store.key().await
    }

    pub(crate) async fn key_if_there(&self) -> Result<Option<Key>, TargetError> {
        self.store.key_if_there().await
    }

    /// Those of these services.
    pub(crate) async fn of(&self, services: &[ServiceName]) -> Result<BTreeMap<ReleaseId, Known>, TargetError> {
        let ours = self.held.ours();
        if let Some(lately) = &*self.lately()
            && Some(lately.fence) == ours
            && services.iter().all(|service| lately.services.contains(service))
        {
            let is_asked_for = |known: &Known| services.contains(&known.release.service);
            let known = lately.known.iter().filter(|(_, known)| is_asked_for(known));
            return Ok(known.map(|(id, known)| (id.clone(), known.clone())).collect());
        }
        let known = self.store.known(Some(services)).await?;
        if let Some(fence) = ours {
            let services = services.iter().cloned().collect();
            *self.lately() = Some(Lately { fence, services, known: known.clone() });
        }
        Ok(known)
    }

    /// All of the namespace, as they are now.
    pub(crate) async fn known(&self) -> Result<BTreeMap<ReleaseId, Known>, TargetError> {
        self.store.known(None).await
    }

    /// The names of all of the namespace.
    pub(crate) async fn all(&self) -> Result<Vec<ReleaseId>, TargetError> {
        Ok(self.store.known(None).await?.into_keys().collect())
    }

    pub(crate) async fn load(&self, release: &ReleaseId) -> Result<Option<Payload>, TargetError> {
        self.store.load(release).await
    }

    pub(crate) async fn store(&self, fence: Fence, release: &Release, payload: &Payload) -> Result<(), TargetError> {
        self.held.admit(fence)?;
        let stored = self.store.store(fence, release, payload).await;
        self.noted(stored, |known| {
            let hold = known.get(&release.id).and_then(|known| known.hold.clone());
            known.insert(release.id.clone(), Known { release: release.clone(), hold, seen: None });
        })
    }

    pub(crate) async fn set_hold(
        &self,
        fence: Fence,
        release: &Release,
        payload: &Payload,
        hold: &str,
    ) -> Result<(), TargetError> {
        self.held.admit(fence)?;
        let set = self.store.set_hold(fence, release, payload, hold).await;
        self.noted(set, |known| {
            let hold = Some(hold.into());
            known.insert(release.id.clone(), Known { release: release.clone(), hold, seen: None });
        })
    }

    pub(crate) async fn clear_hold(&self, fence: Fence, release: &ReleaseId) -> Result<(), TargetError> {
        self.held.admit(fence)?;
        let cleared = self.store.clear_hold(fence, release).await;
        self.noted(cleared, |known| {
            if let Some(known) = known.get_mut(release) {
                (known.hold, known.seen) = (None, None);
            }
        })
    }

    pub(crate) async fn discard(&self, fence: Fence, release: &ReleaseId) -> Result<(), TargetError> {
        self.held.admit(fence)?;
        let seen = self.lately().as_ref().and_then(|lately| lately.known.get(release)?.seen.clone());
        let discarded = self.store.discard(fence, release, seen).await;
        self.noted(discarded, |known| {
            known.remove(release);
        })
    }

    /// Follows a write; after one that failed nothing is known any more.
    fn noted(
        &self,
        written: Result<(), TargetError>,
        change: impl FnOnce(&mut BTreeMap<ReleaseId, Known>),
    ) -> Result<(), TargetError> {
        let mut lately = self.lately();
        match (&written, &mut *lately) {
            (Ok(()), Some(lately)) => change(&mut lately.known),
            (Ok(()), None) => {}
            (Err(_), _) => *lately = None,
        }
        written
    }

    fn lately(&self) -> MutexGuard<'_, Option<Lately>> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
