use crate::{CommandError, Place, place::holder};
use deploy_core::{
    lease::{Grant, LeaseEnd, LeaseError},
    model::{DeploymentId, Millis, StepId},
    target::Cx,
};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Does something under the lease that is no deployment, renews it meanwhile, and gives it back. Where it failed, a call may
/// still be under way: then the lease ends with this process, and whoever takes it adopts.
///
/// # Errors
/// Where somebody else holds it for longer than `wait`, or takes it over meanwhile.
pub(super) async fn under_lease<T>(
    place: &Place,
    wait: Millis,
    work: impl AsyncFnOnce(Grant) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let grant = take(place, wait).await?;
    let result = tokio::select! {
        result = async {
            adopt(place, grant).await?;
            work(grant).await
        } => result,
        lost = renew(place, grant) => Err(CommandError::Lease(lost)),
    };
    if result.is_ok() {
        // it expires by itself where this fails
        let _ = place.lease.free(grant.fence).await;
    }
    result
}

async fn take(place: &Place, wait: Millis) -> Result<Grant, CommandError> {
    let until = Instant::now() + wait.duration();
    let mut told = None;
    loop {
        match place.lease.take(&holder()).await {
            Ok(grant) => return Ok(grant),
            Err(LeaseError::Held { holder, .. }) if Instant::now() < until => {
                if told.as_ref() != Some(&holder) {
                    eprintln!("{holder} deploys; waiting for at most {wait}");
                    told = Some(holder);
                }
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Makes late calls of a holder that didn't give its lease back miss.
async fn adopt(place: &Place, grant: Grant) -> Result<(), CommandError> {
    if grant.before == LeaseEnd::Freed {
        return Ok(());
    }
    let deployment = place.journal.deployments().await?.last().copied().unwrap_or(DeploymentId(0));
    let deadline = Instant::now() + grant.ttl.duration();
    let cx = Cx { deployment, step: StepId::new("adopt"), fence: grant.fence, deadline };
    Ok(place.target.adopt(&cx, grant.before).await?)
}

/// Renews the lease for as long as it is polled; ends only when it is lost.
async fn renew(place: &Place, grant: Grant) -> LeaseError {
    let ttl = grant.ttl.duration();
    let mut held = Instant::now();
    loop {
        sleep(ttl / 3).await;
        match timeout(ttl / 3, place.lease.renew(grant.fence)).await {
            Ok(Ok(())) => held = Instant::now(),
            Ok(Err(lost @ (LeaseError::Lost { .. } | LeaseError::Ended { .. }))) => return lost,
            Ok(Err(error)) if held.elapsed() >= ttl => return error,
            Err(_) if held.elapsed() >= ttl => return LeaseError::Unreachable("it didn't answer in time".into()),
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Teardown;
    use async_trait::async_trait;
    use deploy_core::{
        lease::Lease,
        model::Fence,
        target::TargetError,
        testing::{
            SimSettings, SimWorld,
            faults::{CallKind, Fault, Faults},
            virtual_time,
        },
    };
    use std::sync::Arc;

    struct Nothing;

    #[async_trait]
    impl Teardown for Nothing {
        async fn down(&self, _: Fence, _: bool) -> Result<Vec<String>, TargetError> {
            Ok(Vec::new())
        }
    }

    /// What is done in a world whose last deployer is gone without a word, and how the next one finds the lease.
    fn found(faults: &Faults, work: impl AsyncFnOnce(Grant) -> Result<(), CommandError>) -> (bool, LeaseEnd) {
        virtual_time(async {
            let world = SimWorld::new(SimSettings { notices_death: true, ..SimSettings::host() });
            let gone = world.lease();
            gone.take("somebody").await.unwrap();
            drop(gone);
            let deployer = faults.wrap(world.deployer());
            let place = Place {
                project: "shop".into(),
                target: deployer.target,
                router: deployer.routers[0].clone(),
                lease: deployer.lease,
                journal: deployer.journal,
                teardown: Arc::new(Nothing),
            };
            let done = under_lease(&place, Millis::ZERO, work).await.is_ok();
            drop(place);
            (done, world.lease().take("the next").await.unwrap().before)
        })
        .unwrap()
    }

    #[test]
    fn what_was_done_gives_the_lease_back() {
        assert_eq!(found(&Faults::default(), async |_| Ok(())), (true, LeaseEnd::Freed));
    }

    #[test]
    fn who_could_not_adopt_leaves_it_to_the_next_one() {
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Adopt, Fault::FailBefore);
        assert_eq!(found(&faults, async |_| Ok(())), (false, LeaseEnd::Abandoned));
    }

    #[test]
    fn what_failed_may_still_be_under_way() {
        let lost = async |_| Err(CommandError::Teardown(TargetError::unreachable("the Engine", "it didn't answer")));
        assert_eq!(found(&Faults::default(), lost), (false, LeaseEnd::Abandoned));
    }
}
