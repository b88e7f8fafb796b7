use super::clock;
use deploy_core::{model::Fence, target::TargetError};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What this deployer knows of its own lease. A process that was frozen and woke up late finds here, before it writes, that
/// its time is over; what it knows nothing of is left to the API server, which compares fences.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<Standing>);

#[derive(Debug, Default)]
struct Standing {
    ours: Option<(Fence, Duration)>,
    newest: Fence,
}

impl Held {
    /// Lets a write under the fence through, as far as is known here.
    ///
    /// # Errors
    /// [`TargetError::Fenced`] once a newer fence was seen, [`TargetError::LeaseEnded`] once the fence's time is over.
    pub(crate) fn admit(&self, fence: Fence) -> Result<(), TargetError> {
        self.admit_at(fence, clock::now())
    }

    fn admit_at(&self, fence: Fence, now: Duration) -> Result<(), TargetError> {
        let standing = self.standing();
        match standing.ours {
            _ if standing.newest > fence => Err(TargetError::Fenced { ours: fence, newest: standing.newest }),
            Some((ours, until)) if ours == fence && until <= now => Err(TargetError::LeaseEnded { ours }),
            _ => Ok(()),
        }
    }

    /// The fence is ours until then. `until` is counted from before the write was sent that made it so: whoever counts from
    /// when the write was seen takes over later.
    pub(super) fn hold(&self, fence: Fence, until: Duration) {
        let mut standing = self.standing();
        standing.newest = standing.newest.max(fence);
        standing.ours = Some((fence, until));
    }

    /// The fence was given back: nothing is known of its time any more.
    pub(super) fn forget(&self, fence: Fence) {
        let mut standing = self.standing();
        standing.ours = standing.ours.filter(|(ours, _)| *ours != fence);
    }

    /// The fence that is ours, as far as is known here.
    pub(crate) fn ours(&self) -> Option<Fence> {
        self.standing().ours.map(|(ours, _)| ours)
    }

    /// Somebody has this one.
    pub(super) fn saw(&self, fence: Fence) {
        let mut standing = self.standing();
        standing.newest = standing.newest.max(fence);
    }

    /// The newest that was seen from here.
    pub(super) fn newest(&self) -> Fence {
        self.standing().newest
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_over_is_refused() {
        let held = Held::default();
        let at = Duration::from_secs;
        assert!(held.admit_at(Fence(3), at(0)).is_ok(), "a fence that nothing is known of");
        held.hold(Fence(3), at(15));
        assert!(held.admit_at(Fence(3), at(14)).is_ok());
        assert!(matches!(held.admit_at(Fence(3), at(15)), Err(TargetError::LeaseEnded { ours: Fence(3) })));
        held.hold(Fence(3), at(20));
        assert!(held.admit_at(Fence(3), at(15)).is_ok(), "renewed");
        assert!(held.admit_at(Fence(4), at(15)).is_ok());
        held.saw(Fence(4));
        let late = held.admit_at(Fence(3), at(15));
        assert!(matches!(late, Err(TargetError::Fenced { ours: Fence(3), newest: Fence(4) })));
    }

    #[test]
    fn what_was_given_back_is_left_to_the_server() {
        let held = Held::default();
        held.hold(Fence(3), Duration::ZERO);
        held.forget(Fence(2));
        assert!(held.admit(Fence(3)).is_err());
        held.forget(Fence(3));
        assert!(held.admit(Fence(3)).is_ok());
    }
}
