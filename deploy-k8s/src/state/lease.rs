use super::{
    Held, TRIES, clock,
    journals::Journals,
    process::{PROCESS, Process},
};
use crate::{
    api::{Api, CallError},
    names::{LEASE, MANAGER, labels},
    patch::{JsonPatch, annotation},
};
use async_trait::async_trait;
use deploy_core::{
    lease::{Grant, Lease, LeaseEnd, LeaseError},
    model::{Fence, Millis},
};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease as Object, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use serde_json::json;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long a lease holds unless it is renewed.
pub(crate) const TTL: Millis = Millis::from_secs(15);

/// The lease of a namespace: a Lease object whose transitions are the fence.
///
/// It is free while its holder has no name. No clocks of two machines are compared: a lease has expired once nobody changed
/// it for its whole time, as seen from here. Where its holder was a process of this very machine that has ended, nobody
/// waits.
pub(crate) struct KubeLease {
    api: Api,
    /// Whole seconds, as the object has it.
    ttl: i32,
    held: Arc<Held>,
    process: Option<Process>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// What we took, and under which name.
    ours: Option<(Fence, String)>,
    /// Somebody else's, and since when it hasn't changed.
    seen: Option<(Mark, Duration)>,
}

/// A try to take the lease.
struct Try {
    before: LeaseEnd,
    sent: Duration,
    fence: Fence,
    taken: LeaseSpec,
}

/// Another one is there with each taking and each renewal.
type Mark = (Fence, Option<MicroTime>);

impl KubeLease {
    /// What becomes of a lease that is taken here can be asked of `held`.
    pub(crate) fn new(api: Api, ttl: Millis, held: Arc<Held>) -> Self {
        let ttl = i32::try_from(ttl.0.div_ceil(1000).max(1)).unwrap_or(i32::MAX);
        Self { api, ttl, held, process: Process::own(), memory: Mutex::default() }
    }

    fn ttl(&self) -> Duration {
        seconds(self.ttl)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self) -> Result<Option<Object>, LeaseError> {
        self.api.get(LEASE).await.map_err(unreachable)
    }

    /// How the lease that is there ended.
    ///
    /// # Errors
    /// [`LeaseError::Held`] where it hasn't, as far as is known here.
    fn end(&self, lease: &Object) -> Result<LeaseEnd, LeaseError> {
        let holder = holder(lease);
        if holder.is_empty() {
            return Ok(LeaseEnd::Freed);
        }
        self.held.saw(fence(lease));
        let process = lease.metadata.annotations.as_ref().and_then(|all| all.get(PROCESS)?.parse::<Process>().ok());
        if let (Some(process), Some(here)) = (process, &self.process)
            && process.has_ended(here)
        {
            return Ok(LeaseEnd::Abandoned);
        }
        let spec = lease.spec.as_ref();
        let ttl = seconds(spec.and_then(|spec| spec.lease_duration_seconds).unwrap_or(self.ttl));
        let mark = (fence(lease), spec.and_then(|spec| spec.renew_time.clone()));
        let now = clock::now();
        let mut memory = self.memory();
        let since = match &memory.seen {
            Some((seen, since)) if *seen == mark => *since,
            _ => now,
        };
        memory.seen = Some((mark, since));
        match ttl.saturating_sub(now.saturating_sub(since)) {
            Duration::ZERO => Ok(LeaseEnd::Expired),
            left => Err(LeaseError::Held { holder: holder.into(), left: left.into() }),
        }
    }

    /// The lease as it is when we take it.
    fn taken(&self, holder: &str, fence: Fence) -> LeaseSpec {
        // as it is stored, so that it can be told whether what is there is ours
        let now = Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap_or_default();
        let now = MicroTime(now);
        LeaseSpec {
            acquire_time: Some(now.clone()),
            holder_identity: Some(holder.into()),
            lease_duration_seconds: Some(self.ttl),
            lease_transitions: i32::try_from(fence.0).ok(),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }
    }

    /// Makes a lease where none is, as ours.
    async fn create(&self, taken: &LeaseSpec) -> Result<(), CallError> {
        let process = self.process.as_ref().map(|process| (PROCESS.to_owned(), process.to_string()));
        let metadata = ObjectMeta {
            name: Some(LEASE.into()),
            labels: Some(labels("lease")),
            annotations: Some(process.into_iter().collect()),
            ..ObjectMeta::default()
        };
        let lease = Object { metadata, spec: Some(taken.clone()) };
        self.api.create(&lease).await.map(drop)
    }

    /// Makes the lease ours, unless it has changed since it was read.
    async fn take_over(&self, lease: &Object, taken: &LeaseSpec) -> Result<(), CallError> {
        let mut patch = JsonPatch::new()
            .test("/metadata/resourceVersion", lease.metadata.resource_version.clone())
            .set("/spec", json!(taken));
        if lease.metadata.annotations.is_none() {
            patch = patch.set("/metadata/annotations", json!({}));
        }
        let process = self.process.as_ref().map_or_else(String::new, Process::to_string);
        self.api.patch::<Object>(LEASE, patch.set(annotation(PROCESS), process)).await.map(drop)
    }

    /// A patch that does nothing unless the lease is ours under this fence; none where we never took it.
    fn as_ours(&self, fence: Fence) -> Option<JsonPatch> {
        let memory = self.memory();
        let (_, holder) = memory.ours.as_ref().filter(|(ours, _)| *ours == fence)?;
        let patch = JsonPatch::new().test("/spec/leaseTransitions", fence.0);
        Some(patch.test("/spec/holderIdentity", holder.as_str()))
    }

    /// Why a lease isn't ours any more.
    async fn over(&self, ours: Fence) -> Result<LeaseError, LeaseError> {
        let newest = self.read().await?.as_ref().map_or(Fence(0), fence);
        if newest > ours {
            self.held.saw(newest);
            return Ok(LeaseError::Lost { ours, newest });
        }
        Ok(LeaseError::Ended { ours })
    }
}

#[async_trait]
impl Lease for KubeLease {
    /// Three requests, and a fourth where the last deployment hasn't ended: its journal learns of the fence before anybody
    /// reads it. One more for each part of a journal that is cleared away.
    async fn take(&self, holder: &str) -> Result<Grant, LeaseError> {
        // without a name it would be free
        let holder = if holder.is_empty() { MANAGER } else { holder };
        let mut last = None;
        let mut tried: Option<Try> = None;
        for _ in 0..TRIES {
            let found = self.read().await?;
            let is_ours = |tried: &Try| found.as_ref().is_some_and(|lease| lease.spec.as_ref() == Some(&tried.taken));
            let (Try { before, sent, fence, .. }, journals) = match tried.take().filter(is_ours) {
                // it was taken, and the answer was lost
                Some(tried) => (tried, None),
                None => {
                    let before = found.as_ref().map_or(Ok(LeaseEnd::Freed), |lease| self.end(lease))?;
                    // it may be that somebody deleted it: the journals know which fences there were
                    let journals = match &found {
                        Some(_) => None,
                        None => Some(Journals::list(&self.api).await.map_err(unreachable)?),
                    };
                    let newest = found.as_ref().map(fence).or(journals.as_ref().map(Journals::newest_fence));
                    let next = Fence(newest.unwrap_or_default().max(self.held.newest()).0 + 1);
                    let taken = self.taken(holder, next);
                    let this = Try { before, sent: clock::now(), fence: next, taken };
                    let answer = match &found {
                        Some(lease) => self.take_over(lease, &this.taken).await,
                        None => self.create(&this.taken).await,
                    };
                    match answer {
                        Ok(()) => (this, journals),
                        // somebody was faster, or the answer was lost
                        Err(error)
                            if error.is_stale()
                                || error.code().is_none()
                                || (found.is_some() && error.code() == Some(404)) =>
                        {
                            (last, tried) = (Some(error), Some(this));
                            continue;
                        }
                        Err(error) => return Err(unreachable(error)),
                    }
                }
            };
            self.held.hold(fence, sent + self.ttl());
            *self.memory() = Memory { ours: Some((fence, holder.to_owned())), seen: None };
            let stamped = async {
                let (mut journals, is_old) = match journals {
                    // listed before the lease was ours
                    Some(journals) => (journals, true),
                    None => (Journals::list(&self.api).await?, false),
                };
                journals.clear(&self.api).await;
                // after another end a late record of the last holder's may come yet
                if !is_old && before == LeaseEnd::Freed {
                    self.held.listed(fence, journals.deployments());
                }
                journals.stamp(&self.api, fence).await
            };
            if let Err(error) = stamped.await {
                // what wasn't given back before isn't given back now either: it ends by itself, and whoever is next adopts
                if before == LeaseEnd::Freed {
                    let _ = self.free(fence).await;
                }
                return Err(unreachable(error));
            }
            return Ok(Grant { fence, before, ttl: self.ttl().into() });
        }
        Err(last.map_or_else(changes, unreachable))
    }

    async fn renew(&self, fence: Fence) -> Result<(), LeaseError> {
        for _ in 0..TRIES {
            // what was refused here meanwhile stays refused
            let patch = self.as_ours(fence).filter(|_| self.held.admit(fence).is_ok());
            let Some(patch) = patch else { return Err(self.over(fence).await?) };
            let sent = clock::now();
            let now = MicroTime(Timestamp::now());
            match self.api.patch::<Object>(LEASE, patch.set("/spec/renewTime", json!(now))).await {
                Ok(_) => {
                    self.held.hold(fence, sent + self.ttl());
                    return Ok(());
                }
                // somebody changed something else in between
                Err(error) if error.code() == Some(409) => {}
                Err(error) if error.is_stale() || error.code() == Some(404) => return Err(self.over(fence).await?),
                Err(error) => return Err(unreachable(error)),
            }
        }
        Err(changes())
    }

    async fn free(&self, fence: Fence) -> Result<(), LeaseError> {
        let Some(patch) = self.as_ours(fence) else { return Ok(()) };
        match self.api.patch::<Object>(LEASE, patch.set("/spec/holderIdentity", "")).await {
            Ok(_) => {}
            Err(error) if error.code() == Some(422) || error.code() == Some(404) => {}
            Err(error) => return Err(unreachable(error)),
        }
        self.held.forget(fence);
        self.memory().ours = None;
        Ok(())
    }
}

fn fence(lease: &Object) -> Fence {
    let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions);
    Fence(transitions.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

fn holder(lease: &Object) -> &str {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or("")
}

fn seconds(count: i32) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}

fn changes() -> LeaseError {
    LeaseError::Unreachable("expected the lease to stay for a moment, but found another one each time".into())
}

fn unreachable(error: CallError) -> LeaseError {
    LeaseError::Unreachable(error.into())
}
