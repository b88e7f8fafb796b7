use super::clock;
use deploy_core::{
    model::{DeploymentId, Fence},
    target::TargetError,
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What this deployer knows of its own lease. A process that was frozen and woke up late finds here, before it writes, that
/// its time is over; what it knows nothing of is left to the API server, which compares fences.
#[derive(Debug, Default)]
pub(crate) struct Held {
    standing: Mutex<Standing>,
    /// The deployments as they were listed under a lease: while it is ours nobody else begins one.
    deployments: Mutex<Option<(Fence, Vec<DeploymentId>)>>,
}

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

    /// The deployments there are, where they were listed under the lease that is ours now.
    pub(super) fn deployments(&self) -> Option<Vec<DeploymentId>> {
        let ours = self.ours()?;
        let listed = self.deployments.lock().unwrap_or_else(PoisonError::into_inner);
        listed.as_ref().filter(|(fence, _)| *fence == ours).map(|(_, listed)| listed.clone())
    }

    /// They were listed after the lease of that fence was taken.
    pub(super) fn listed(&self, fence: Fence, deployments: Vec<DeploymentId>) {
        *self.deployments.lock().unwrap_or_else(PoisonError::into_inner) = Some((fence, deployments));
    }

    /// One more begins, or may have begun.
    pub(super) fn unlisted(&self) {
        *self.deployments.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn what_was_listed_under_another_lease_is_not_known() {
        let held = Held::default();
        held.listed(Fence(3), vec![DeploymentId(1)]);
        assert_eq!(held.deployments(), None);
        held.hold(Fence(3), Duration::MAX);
        assert_eq!(held.deployments(), Some(vec![DeploymentId(1)]));
        held.unlisted();
        assert_eq!(held.deployments(), None);
        held.listed(Fence(3), Vec::new());
        held.hold(Fence(4), Duration::MAX);
        assert_eq!(held.deployments(), None);
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
