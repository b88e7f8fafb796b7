use super::{
    SimWorld,
    state::{Holder, SimTime},
};
use crate::{
    lease::{Grant, Lease, LeaseEnd, LeaseError},
    model::{Fence, Millis},
};
use async_trait::async_trait;
use std::sync::{Mutex, PoisonError};

/// One deployer's way to the lease of a [`SimWorld`]. When it is dropped while it holds the lease, its deployer is gone:
/// the lease is abandoned where that is noticed, and otherwise expires.
#[derive(Debug)]
pub struct SimLease {
    world: SimWorld,
    held: Mutex<Option<Fence>>,
}

impl SimLease {
    pub(super) fn new(world: SimWorld) -> Self {
        Self { world, held: Mutex::new(None) }
    }

    fn hold(&self, fence: Option<Fence>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = fence;
    }
}

#[async_trait]
impl Lease for SimLease {
    async fn take(&self, holder: &str) -> Result<Grant, LeaseError> {
        self.world.travel().await;
        let grant = self.world.note("take the lease", |state| {
            let (now, ttl) = (state.now, state.settings.lease);
            let keeper = &mut state.lease;
            let before = match &keeper.holder {
                None => LeaseEnd::Freed,
                Some(before) if before.abandoned => LeaseEnd::Abandoned,
                Some(before) if before.expires <= now => LeaseEnd::Expired,
                Some(Holder { name, expires: SimTime(expires), .. }) => {
                    return Err(LeaseError::Held { holder: name.clone(), left: Millis(expires - now.0) });
                }
            };
            keeper.newest = Fence(keeper.newest.0 + 1);
            keeper.holder = Some(Holder { name: holder.into(), expires: now.plus(ttl), abandoned: false });
            if before != LeaseEnd::Freed {
                keeper.unadopted.insert(keeper.newest);
            }
            Ok(Grant { fence: keeper.newest, before, ttl })
        })?;
        self.hold(Some(grant.fence));
        self.world.travel().await;
        Ok(grant)
    }

    async fn renew(&self, fence: Fence) -> Result<(), LeaseError> {
        self.world.travel().await;
        self.world.note("renew the lease", |state| {
            let (now, ttl) = (state.now, state.settings.lease);
            let keeper = &mut state.lease;
            let lost = match keeper.newest {
                newest if newest == fence => LeaseError::Ended { ours: fence },
                newest => LeaseError::Lost { ours: fence, newest },
            };
            match &mut keeper.holder {
                Some(holder) if keeper.newest == fence && holder.expires > now && !holder.abandoned => {
                    holder.expires = now.plus(ttl);
                    Ok(())
                }
                _ => Err(lost),
            }
        })
    }

    async fn free(&self, fence: Fence) -> Result<(), LeaseError> {
        self.world.travel().await;
        self.world.note("free the lease", |state| {
            if state.lease.newest == fence {
                state.lease.holder = None;
            }
        });
        self.hold(None);
        Ok(())
    }
}

impl Drop for SimLease {
    fn drop(&mut self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(fence) = held else { return };
        self.world.note("a deployer is gone", |state| {
            let newest = state.lease.newest;
            if let Some(holder) = state.lease.holder.as_mut().filter(|_| newest == fence) {
                holder.abandoned |= state.settings.notices_death;
            }
        });
    }
}
