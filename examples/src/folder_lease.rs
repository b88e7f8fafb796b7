use crate::folder::Locked;
use async_trait::async_trait;
use deploy_core::{
    lease::{Grant, Lease, LeaseEnd, LeaseError},
    model::{Fence, Millis},
};
use std::{
    io,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

/// A lease in a folder: `lease.json` says who has it, until when, and which fence is the newest.
///
/// The lease of a killed holder expires after 15 s. That of a frozen one too; what it does when it wakes up is refused
/// by its fence. Expiry goes by the machine's clock, which may jump: then a lease ends early or late, and the fence decides.
pub struct FolderLease {
    folder: PathBuf,
}

const TTL: Millis = Millis::from_secs(15);

impl FolderLease {
    /// Keeps the lease in a folder, which is made when it is needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    async fn open(&self) -> Result<Locked, LeaseError> {
        Locked::open(&self.folder).await.map_err(unreachable)
    }

    /// The keeper, if the lease with that fence still holds.
    async fn held(&self, ours: Fence) -> Result<Locked, LeaseError> {
        let locked = self.open().await?;
        let holds = locked.keeper.newest == ours && locked.keeper.until.is_some_and(|until| until > now());
        match holds {
            true => Ok(locked),
            false if locked.keeper.newest == ours => Err(LeaseError::Ended { ours }),
            false => Err(LeaseError::Lost { ours, newest: locked.keeper.newest }),
        }
    }
}

fn unreachable(error: io::Error) -> LeaseError {
    LeaseError::Unreachable(error.into())
}

/// Milliseconds since 1970.
fn now() -> u64 {
    Millis::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()).0
}

#[async_trait]
impl Lease for FolderLease {
    async fn take(&self, holder: &str) -> Result<Grant, LeaseError> {
        let mut locked = self.open().await?;
        let keeper = &mut locked.keeper;
        let before = match keeper.until {
            None => LeaseEnd::Freed,
            Some(until) if until <= now() => LeaseEnd::Expired,
            Some(until) => {
                return Err(LeaseError::Held { holder: keeper.holder.clone(), left: Millis(until - now()) });
            }
        };
        keeper.newest = Fence(keeper.newest.0 + 1);
        keeper.holder = holder.into();
        keeper.until = Some(now() + TTL.0);
        locked.save().map_err(unreachable)?;
        Ok(Grant { fence: locked.keeper.newest, before, ttl: TTL })
    }

    async fn renew(&self, fence: Fence) -> Result<(), LeaseError> {
        let mut locked = self.held(fence).await?;
        locked.keeper.until = Some(now() + TTL.0);
        locked.save().map_err(unreachable)
    }

    async fn free(&self, fence: Fence) -> Result<(), LeaseError> {
        match self.held(fence).await {
            Ok(mut locked) => {
                locked.keeper.until = None;
                locked.save().map_err(unreachable)
            }
            Err(LeaseError::Lost { .. } | LeaseError::Ended { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
