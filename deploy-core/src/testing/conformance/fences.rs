//! What must be true once somebody else has taken over: nothing of the one before has an effect.

use super::{
    cases,
    stage::{Miss, Stage, expect},
};
use crate::{
    lease::LeaseEnd,
    model::{Fence, InstanceState, Pace, Shares},
    target::{Cx, TargetError},
    testing::Deployer,
};

cases! { "fences":
    "adopt leaves what runs, and may be done again" => adopt,
    "after adopt, the next deployer finds and stops what runs" => adopted_works,
    "a late ensure is refused or without effect" => late_ensure,
    "a late larger or smaller ensure is refused or without effect" => late_resize,
    "a late remove is refused or without effect" => late_remove,
    "a late replace is refused or without effect" => late_replace,
    "a late apply or delete is refused or without effect" => late_object,
    "a late route is refused as fenced" => late_route,
    "a late adopt is refused or without effect" => late_adopt,
}

/// Another deployer that took over, although nobody gave anything back.
struct Taker {
    deployer: Deployer,
    fence: Fence,
}

impl Taker {
    /// The lease is given back so that nobody must wait for its end, but `adopt` is told that it expired.
    async fn takes(stage: &Stage<'_>) -> Result<Self, Miss> {
        let deployer = stage.subject.deployer().await?;
        stage.deployer.lease.free(stage.grant.fence).await?;
        let fence = deployer.lease.take("another").await?.fence;
        deployer.target.adopt(&stage.cx_of(fence, "adopt"), LeaseEnd::Expired).await?;
        Ok(Self { deployer, fence })
    }
}

/// After a takeover, a call of the first deployer: it may only be refused, and changes nothing. Yields the refusal.
async fn late(
    stage: &Stage<'_>,
    call: impl AsyncFnOnce(&Cx) -> Result<(), TargetError>,
) -> Result<Option<TargetError>, Miss> {
    let _taker = Taker::takes(stage).await?;
    let before = (stage.owned().await?, stage.live(&stage.old).await?);
    let answer = call(&stage.cx("late")).await;
    let after = (stage.owned().await?, stage.live(&stage.old).await?);
    expect(before == after, &format!("no change from {before:?}"), after)?;
    match &answer {
        Ok(()) | Err(TargetError::Fenced { .. } | TargetError::Conflict { .. } | TargetError::Rejected { .. }) => {
            Ok(answer.err())
        }
        Err(error) => Err(Miss::Failed(format!("expected it to be refused for good, but found: {error}"))),
    }
}

async fn adopt(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    let before = stage.owned().await?;
    let count = stage.live(&stage.old).await?.len();
    let taker = Taker::takes(stage).await?;
    for end in [LeaseEnd::Expired, LeaseEnd::Abandoned] {
        let after = stage.owned().await?;
        expect(before == after, &format!("{before:?}"), after)?;
        let live = stage.live(&stage.old).await?;
        let running = live.iter().filter(|one| one.state == InstanceState::Running && one.restarts == 0).count();
        expect(running == count, &format!("{count} instances that run on"), live)?;
        taker.deployer.target.adopt(&stage.cx_of(taker.fence, "adopt"), end).await?;
    }
    stage.healthy(&stage.old).await
}

async fn adopted_works(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    let taker = Taker::takes(stage).await?;
    let cx = stage.cx_of(taker.fence, "start");
    let before = stage.live(&stage.old).await?;
    taker.deployer.target.ensure(&cx, &stage.old.set, stage.some()).await?;
    let after = stage.live(&stage.old).await?;
    expect(before == after, &format!("{before:?}"), after)?;
    taker.deployer.target.remove(&cx, &stage.old.set, false).await?;
    let left = stage.observed(&stage.old).await?.instances;
    expect(left.is_empty(), "no instance", left)
}

async fn late_ensure(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    late(stage, async |cx| stage.target().ensure(cx, &stage.old.set, stage.some()).await).await?;
    Ok(())
}

async fn late_resize(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.sizes()?;
    for count in [1, 3] {
        stage.subject.reset().await?;
        let stage = stage.anew().await?;
        stage.start(&stage.old).await?;
        late(&stage, async |cx| stage.target().ensure(cx, &stage.old.set, Some(count)).await).await?;
    }
    Ok(())
}

async fn late_remove(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    late(stage, async |cx| stage.target().remove(cx, &stage.old.set, true).await).await?;
    stage.healthy(&stage.old).await
}

async fn late_replace(stage: &Stage<'_>) -> Result<(), Miss> {
    if !stage.can.replaces {
        return super::stage::not_applicable("it replaces nothing in place");
    }
    stage.start(&stage.old).await?;
    let pace = Pace { surge: 1, unavailable: 0 };
    let replace = async |cx: &Cx| stage.target().replace(cx, &stage.new.set, &stage.old.release.id, pace).await;
    late(stage, replace).await?;
    Ok(())
}

async fn late_object(stage: &Stage<'_>) -> Result<(), Miss> {
    let Some(object) = stage.subject.objects().pop() else {
        return super::stage::not_applicable("the service stands on no object");
    };
    late(stage, async |cx| {
        stage.target().apply(cx, &object).await?;
        stage.target().delete(cx, &object.object).await
    })
    .await?;
    Ok(())
}

async fn late_route(stage: &Stage<'_>) -> Result<(), Miss> {
    let router = stage.router()?;
    stage.start(&stage.old).await?;
    let all = stage.all_to(&stage.old);
    router.route(&stage.cx("route"), stage.service(), &Shares::none(), &all).await?;
    let route = async |cx: &Cx| router.route(cx, stage.service(), &all, &Shares::none()).await.map(|_| ());
    let answer = late(stage, route).await?;
    expect(matches!(answer, Some(TargetError::Fenced { .. })), "it to be refused as fenced", answer)
}

async fn late_adopt(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    late(stage, async |cx| stage.target().adopt(cx, LeaseEnd::Expired).await).await?;
    Ok(())
}
