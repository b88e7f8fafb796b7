//! What must be true of routes and drains.

use super::{
    cases,
    stage::{Given, Miss, Stage, expect, not_applicable},
};
use crate::{
    model::{Millis, Shares},
    target::TargetError,
};

cases! { "routes":
    "a route is reported, to another deployer too" => reported,
    "route again changes nothing" => again,
    "a route moves all requests, and back" => moves,
    "two releases share the requests, or that is refused" => shared,
    "nobody may answer" => nobody,
    "a route from what isn't routed is a conflict" => conflict,
    "a drain of what the routes leave out ends" => drains,
    "a drain of what isn't there is over at once" => drains_nothing,
}

async fn both(stage: &Stage<'_>) -> Result<(), Miss> {
    if !stage.subject.side_by_side() {
        return not_applicable("two releases must not run at once");
    }
    stage.start(&stage.old).await?;
    stage.start(&stage.new).await
}

async fn route(stage: &Stage<'_>, from: &Shares, to: &Shares) -> Result<(), Miss> {
    stage.router()?.route(&stage.cx("route"), stage.service(), from, to).await?;
    routed(stage, to).await
}

async fn routed(stage: &Stage<'_>, to: &Shares) -> Result<(), Miss> {
    let shares = stage.world().await?.shares(stage.router()?.id(), stage.service());
    expect(shares == *to, &format!("{to:?}"), shares)
}

async fn first(stage: &Stage<'_>, given: &Given) -> Result<Shares, Miss> {
    stage.router()?;
    stage.start(given).await?;
    let all = stage.all_to(given);
    route(stage, &Shares::none(), &all).await?;
    Ok(all)
}

async fn reported(stage: &Stage<'_>) -> Result<(), Miss> {
    let all = first(stage, &stage.old).await?;
    let other = stage.subject.deployer().await?;
    let world = other.target.observe(std::slice::from_ref(stage.service())).await?;
    let shares = world.shares(stage.router()?.id(), stage.service());
    expect(shares == all, &format!("{all:?}"), shares)
}

async fn again(stage: &Stage<'_>) -> Result<(), Miss> {
    let all = first(stage, &stage.old).await?;
    route(stage, &all, &all).await?;
    // asked anew after a crash, it comes with what was true before it
    route(stage, &Shares::none(), &all).await
}

async fn moves(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.router()?;
    both(stage).await?;
    let (old, new) = (stage.all_to(&stage.old), stage.all_to(&stage.new));
    route(stage, &Shares::none(), &old).await?;
    route(stage, &old, &new).await?;
    route(stage, &new, &old).await
}

async fn shared(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.router()?;
    let Some(count) = stage.some() else { return not_applicable("the counts belong to the backend") };
    both(stage).await?;
    let old = stage.all_to(&stage.old);
    route(stage, &Shares::none(), &old).await?;
    let halves = Shares::by_instances([(stage.old.set.clone(), count), (stage.new.set.clone(), 1)]);
    if stage.subject.shares_requests() {
        return route(stage, &old, &halves).await;
    }
    match stage.router()?.route(&stage.cx("route"), stage.service(), &old, &halves).await {
        Err(TargetError::Rejected { .. }) => routed(stage, &old).await,
        other => expect(false, "a refusal", other),
    }
}

async fn nobody(stage: &Stage<'_>) -> Result<(), Miss> {
    let all = first(stage, &stage.old).await?;
    route(stage, &all, &Shares::none()).await
}

async fn conflict(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.router()?;
    let all = first(stage, &stage.old).await?;
    let (stale, to) = (stage.all_to(&stage.new), Shares::none());
    match stage.router()?.route(&stage.cx("route"), stage.service(), &stale, &to).await {
        Err(TargetError::Conflict { .. }) => routed(stage, &all).await,
        other => expect(false, "a conflict", other),
    }
}

async fn drains(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.router()?;
    both(stage).await?;
    let (old, new) = (stage.all_to(&stage.old), stage.all_to(&stage.new));
    route(stage, &Shares::none(), &old).await?;
    route(stage, &old, &new).await?;
    for _ in 0..2 {
        let ended = stage.router()?.drain(&stage.cx("drain"), &stage.old.set, Millis::from_secs(10)).await?;
        expect(ended.unwrap_or(0) == 0, "no request to be ended", ended)?;
    }
    routed(stage, &new).await
}

async fn drains_nothing(stage: &Stage<'_>) -> Result<(), Miss> {
    let ended = stage.router()?.drain(&stage.cx("drain"), &stage.old.set, Millis::from_secs(10)).await?;
    expect(ended.unwrap_or(0) == 0, "no request to be ended", ended)
}
