use super::{TRIES, key::Key, secret};
use crate::{
    api::{Api, CallError},
    names::{self, FENCE, HOLD, KEY, KEY_SECRET, KIND, RELEASE, SERVICE},
    patch::{JsonPatch, annotation},
};
use deploy_core::{
    model::{Fence, Payload, Release, ReleaseId, ServiceName},
    target::TargetError,
};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::api::ListParams;
use rustix::rand::{GetRandomFlags, getrandom};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::OnceCell;

/// How much a payload may be, in bytes. A Secret holds 1 MiB.
const PAYLOAD: usize = 1_000_000;
/// How many services are named in a request; of more, all are asked for.
const NAMED: usize = 20;

/// The releases of a namespace: a Secret each, with its payload. And the key that they are named by.
pub(crate) struct Store {
    api: Api,
    key: OnceCell<Key>,
    /// The Secret that was asked for last by this name, if there is one.
    loaded: Mutex<Option<(String, Option<Secret>)>>,
}

/// A release in the store.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) release: Release,
    /// What was written when it was held beside the next one.
    pub(crate) hold: Option<String>,
    /// As it was listed; none since we wrote to it.
    pub(crate) seen: Option<Seen>,
}

/// A Secret as it was seen: whoever changes it makes it another.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    version: Option<String>,
    /// Of whoever wrote it.
    fence: Fence,
}

impl Seen {
    fn of(metadata: &ObjectMeta) -> Self {
        Self { version: metadata.resource_version.clone(), fence: secret::fence(metadata) }
    }
}

impl Store {
    pub(crate) fn new(api: Api) -> Self {
        Self { api, key: OnceCell::new(), loaded: Mutex::default() }
    }

    /// The namespace's key, made when it is asked for first.
    pub(crate) async fn key(&self) -> Result<Key, TargetError> {
        self.key.get_or_try_init(|| self.find_or_make_key()).await.cloned()
    }

    /// The namespace's key, if there is one.
    pub(crate) async fn key_if_there(&self) -> Result<Option<Key>, TargetError> {
        if let Some(key) = self.key.get() {
            return Ok(Some(key.clone()));
        }
        let Some(key) = self.find_key().await? else { return Ok(None) };
        Ok(Some(self.key.get_or_init(async || key).await.clone()))
    }

    async fn find_key(&self) -> Result<Option<Key>, TargetError> {
        let Some(found) = self.api.get::<Secret>(KEY_SECRET).await? else { return Ok(None) };
        let bytes = found.data.and_then(|mut data| data.remove(KEY)).map(|bytes| bytes.0).unwrap_or_default();
        let key = <[u8; 32]>::try_from(bytes).map_err(|bytes| TargetError::Rejected {
            why: format!(
                "expected 32 bytes under {KEY} in Secret {KEY_SECRET}, but found {}; restore it, or delete it and every \
                 service is deployed as a new release",
                bytes.len()
            ),
        })?;
        Ok(Some(Key(key)))
    }

    async fn find_or_make_key(&self) -> Result<Key, TargetError> {
        let mut last = None;
        for _ in 0..TRIES {
            if let Some(key) = self.find_key().await? {
                return Ok(key);
            }
            let mut key = [0; 32];
            match getrandom(&mut key, GetRandomFlags::empty()) {
                Ok(32) => {}
                Ok(_) => continue,
                Err(error) => return Err(TargetError::unreachable("the system's random numbers", error)),
            }
            match self.api.create(&key_secret(&key)).await {
                Ok(_) => return Ok(Key(key)),
                // somebody else made one, or ours is there and the answer was lost
                Err(error) if matches!(error.code(), Some(409) | None) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.map_or_else(|| changes("a key in the namespace"), TargetError::from))
    }

    /// Releases of these services, or all: one request, and no payload is sent.
    pub(crate) async fn known(
        &self,
        services: Option<&[ServiceName]>,
    ) -> Result<BTreeMap<ReleaseId, Known>, TargetError> {
        let mut labels = format!("{KIND}={RELEASE}");
        match services {
            Some([]) => return Ok(BTreeMap::new()),
            Some(some) if some.len() <= NAMED => {
                let named: Vec<_> = some.iter().map(secret::label).collect();
                labels = format!("{labels},{SERVICE} in ({})", named.join(","));
            }
            _ => {}
        }
        let found = self.api.list_metadata::<Secret>(&ListParams::default().labels(&labels)).await?;
        let known = found.into_iter().filter_map(|one| {
            let (release, hold) = (secret::release(&one.metadata)?, secret::hold(&one.metadata));
            let is_asked_for = services.is_none_or(|some| some.contains(&release.service));
            let seen = Some(Seen::of(&one.metadata)).filter(|seen| seen.version.is_some());
            is_asked_for.then(|| (release.id.clone(), Known { release, hold, seen }))
        });
        Ok(known.collect())
    }

    /// A release's payload, if it is there.
    pub(crate) async fn load(&self, id: &ReleaseId) -> Result<Option<Payload>, TargetError> {
        let found = self.api.get::<Secret>(&names::release(id)).await?;
        *self.loaded() = Some((names::release(id), found.clone()));
        let Some(found) = found else { return Ok(None) };
        let damaged = || TargetError::Rejected {
            why: format!("expected the configuration of {id} in its Secret, but found none; deploy it again"),
        };
        secret::payload(&found).map(Some).ok_or_else(damaged)
    }

    /// Puts a payload into the store, in place of another one; one request where the release is new, or was loaded just
    /// before.
    pub(crate) async fn store(&self, fence: Fence, release: &Release, payload: &Payload) -> Result<(), TargetError> {
        let found = self.take_loaded(fence, &names::release(&release.id)).flatten();
        self.put(fence, release, payload, None, found).await
    }

    fn loaded(&self) -> MutexGuard<'_, Option<(String, Option<Secret>)>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A Secret as it was loaded, if it was the last one; where it has changed since, a write of what it is to be under this
    /// fence misses. Not one that might be so already: then nothing would be written, and nobody would notice.
    fn take_loaded(&self, fence: Fence, name: &str) -> Option<Option<Secret>> {
        let (_, found) = self.loaded().take().filter(|(loaded, _)| loaded == name)?;
        let is_older = found.as_ref().is_none_or(|found| secret::fence(&found.metadata) != fence);
        is_older.then_some(found)
    }

    /// Notes what a release was before it was held, with its payload where it isn't there: one request where it was loaded
    /// just before, else two. One that has changed since is read anew.
    pub(crate) async fn set_hold(
        &self,
        fence: Fence,
        release: &Release,
        payload: &Payload,
        hold: &str,
    ) -> Result<(), TargetError> {
        let name = names::release(&release.id);
        let found = match self.take_loaded(fence, &name) {
            Some(found) => found,
            None => self.api.get(&name).await?,
        };
        self.put(fence, release, payload, Some(hold), found).await
    }

    /// Makes the Secret what it should be; a hold that isn't told stays.
    async fn put(
        &self,
        fence: Fence,
        release: &Release,
        payload: &Payload,
        hold: Option<&str>,
        mut found: Option<Secret>,
    ) -> Result<(), TargetError> {
        if payload.expose().len() > PAYLOAD {
            let (id, size) = (&release.id, payload.expose().len());
            let why = format!(
                "expected a configuration of at most {PAYLOAD} bytes for {id}, but found {size}; a Secret holds no more: \
                 put large files into the image or a volume"
            );
            return Err(TargetError::Rejected { why });
        }
        let wanted = secret::secret(fence, release, payload, hold);
        let name = names::release(&release.id);
        let mut last = None;
        for _ in 0..TRIES {
            let written = match &found {
                None => self.api.create(&wanted).await.map(drop),
                Some(found) => {
                    let merged = merged(found, &wanted);
                    self.change(fence, found, merged).await?
                }
            };
            match written {
                Ok(()) => return Ok(()),
                Err(error) if error.is_stale() || error.code() == Some(404) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
            found = self.api.get(&name).await?;
        }
        Err(last.map_or_else(|| changes(&name), TargetError::from))
    }

    /// Takes a hold away; it may be gone already. One request where it was noted under the same fence.
    pub(crate) async fn clear_hold(&self, fence: Fence, id: &ReleaseId) -> Result<(), TargetError> {
        let name = names::release(id);
        let ours = JsonPatch::new().test(annotation(FENCE), fence.0.to_string()).remove(annotation(HOLD));
        let mut last = match self.api.patch::<Secret>(&name, ours).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_stale() => Some(error),
            Err(error) if error.code() == Some(404) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for _ in 0..TRIES {
            let Some(found) = self.api.get::<Secret>(&name).await? else { return Ok(()) };
            let mut wanted = found.clone();
            let annotations = wanted.metadata.annotations.get_or_insert_default();
            annotations.remove(HOLD);
            annotations.insert(FENCE.into(), fence.0.to_string());
            match self.change(fence, &found, wanted).await? {
                Ok(()) => return Ok(()),
                Err(error) if error.is_stale() || error.code() == Some(404) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.map_or_else(|| changes(&name), TargetError::from))
    }

    /// Takes a release out of the store; it may be gone already. One request where it is as it was seen, else two.
    pub(crate) async fn discard(
        &self,
        fence: Fence,
        id: &ReleaseId,
        mut seen: Option<Seen>,
    ) -> Result<(), TargetError> {
        let name = names::release(id);
        let mut last = None;
        for _ in 0..TRIES {
            let now = match seen.take() {
                Some(seen) => seen,
                None => match self.api.get::<Secret>(&name).await? {
                    Some(found) => Seen::of(&found.metadata),
                    None => return Ok(()),
                },
            };
            admit(fence, now.fence)?;
            match self.api.delete::<Secret>(&name, now.version).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_stale() => last = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.map_or_else(|| changes(&name), TargetError::from))
    }

    /// Makes a Secret another one, unless it has changed since it was read.
    async fn change(&self, fence: Fence, found: &Secret, wanted: Secret) -> Result<Result<(), CallError>, TargetError> {
        admit(fence, secret::fence(&found.metadata))?;
        if *found == wanted {
            return Ok(Ok(()));
        }
        let patch = JsonPatch::new()
            .test("/metadata/resourceVersion", found.metadata.resource_version.clone())
            .set("/metadata/labels", json!(wanted.metadata.labels))
            .set("/metadata/annotations", json!(wanted.metadata.annotations))
            .set("/data", json!(wanted.data));
        let name = found.metadata.name.as_deref().unwrap_or_default();
        Ok(self.api.patch::<Secret>(name, patch).await.map(drop))
    }
}

/// The Secret as it is, with all that we want of it.
fn merged(found: &Secret, wanted: &Secret) -> Secret {
    let mut merged = found.clone();
    let (ours, theirs) = (&wanted.metadata, &mut merged.metadata);
    theirs.labels.get_or_insert_default().extend(ours.labels.clone().unwrap_or_default());
    theirs.annotations.get_or_insert_default().extend(ours.annotations.clone().unwrap_or_default());
    merged.data.clone_from(&wanted.data);
    merged
}

/// Refuses what an older deployer writes.
fn admit(ours: Fence, newest: Fence) -> Result<(), TargetError> {
    if newest > ours { Err(TargetError::Fenced { ours, newest }) } else { Ok(()) }
}

fn key_secret(key: &[u8; 32]) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(KEY_SECRET.into()),
            labels: Some(names::labels_of(KEY)),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(KEY.into(), ByteString(key.into()))])),
        ..Secret::default()
    }
}

fn changes(what: &str) -> TargetError {
    TargetError::Conflict { expected: format!("{what} to stay for a moment"), found: "another one each time".into() }
}
