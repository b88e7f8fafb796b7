//! What must be true of sets: starting, sizing, keeping and removing them, again and after a crash.

use super::{
    cases,
    stage::{Given, Miss, Stage, expect, not_applicable},
};
use crate::{
    model::{InstanceState, Pace},
    target::TargetError,
};
use std::{collections::BTreeSet, time::Duration};

cases! { "sets":
    "nothing is reported of a service that never ran" => nothing,
    "a started set is reported as asked for, with its maker" => started,
    "its instances become healthy by themselves" => becomes_healthy,
    "ensure again changes nothing" => ensure_again,
    "a larger set gets the next ordinals" => larger,
    "a smaller set stops its highest ordinals" => smaller,
    "stopped instances come back before new ones are made" => come_back,
    "two releases stand side by side" => side_by_side,
    "a removed and kept set is not asked for, and stays known" => kept,
    "a kept set comes back" => kept_comes_back,
    "a removed set is gone" => removed,
    "remove of what isn't there is fine" => remove_nothing,
    "a kept set can be removed" => remove_kept,
    "an ensure that was cut short is finished by the next" => cut_ensure,
    "a remove that was cut short is finished by the next" => cut_remove,
    "replace in place moves what is asked for, and back" => replace,
    "where nothing is replaced in place, that is refused for good" => no_replace,
    "nothing of another service is reported" => other_service,
    "prune leaves what runs and the newest kept" => prune,
    "a payload is discarded, again too, and no other" => discards,
}

fn ordinals(instances: &[crate::model::Instance]) -> Vec<u32> {
    instances.iter().map(|instance| instance.ordinal).collect()
}

async fn nothing(stage: &Stage<'_>) -> Result<(), Miss> {
    let there = stage.world().await?.workloads;
    expect(there.is_empty(), "no set", there)
}

async fn started(stage: &Stage<'_>) -> Result<(), Miss> {
    let cx = stage.cx("start");
    stage.target().ensure(&cx, &stage.old.set, stage.some()).await?;
    let there = stage.observed(&stage.old).await?;
    match stage.some() {
        Some(count) => expect(there.asked == count, &format!("{count} to be asked for"), there.asked)?,
        None => expect(there.asked > 0, "some to be asked for", there.asked)?,
    }
    expect(there.release == stage.old.release, "the release as it was stored", &there.release)?;
    expect(there.made_by == Some((cx.deployment, cx.step)), "our deployment and step as its maker", there.made_by)?;
    expect(there.fence == Some(cx.fence), "our fence", there.fence)
}

async fn becomes_healthy(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await
}

async fn ensure_again(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    let before = stage.live(&stage.old).await?;
    stage.target().ensure(&stage.cx("start"), &stage.old.set, stage.some()).await?;
    let after = stage.live(&stage.old).await?;
    expect(before == after, &format!("{before:?}"), after)
}

/// Asks for so many, and yields the live ones.
async fn sized(stage: &Stage<'_>, count: u32) -> Result<Vec<crate::model::Instance>, Miss> {
    stage.target().ensure(&stage.cx(&format!("size-{count}")), &stage.old.set, Some(count)).await?;
    stage.asked(&stage.old, count).await?;
    if count > 0 {
        stage.healthy(&stage.old).await?;
    }
    stage.live(&stage.old).await
}

async fn larger(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.sizes()?;
    let one = sized(stage, 1).await?;
    let three = sized(stage, 3).await?;
    expect(ordinals(&three) == [1, 2, 3], "the ordinals 1, 2 and 3", ordinals(&three))?;
    expect(three.first() == one.first(), "the first to stay as it was", three.first())
}

async fn smaller(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.sizes()?;
    let three = sized(stage, 3).await?;
    let one = sized(stage, 1).await?;
    expect(ordinals(&one) == [1], "the ordinal 1 alone", ordinals(&one))?;
    expect(three.first() == one.first(), "the first to stay as it was", one.first())
}

async fn come_back(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.sizes()?;
    sized(stage, 3).await?;
    sized(stage, 1).await?;
    let there = stage.observed(&stage.old).await?.instances;
    let kept: BTreeSet<u32> = there.iter().filter(|i| i.state == InstanceState::Kept).map(|i| i.ordinal).collect();
    let two = sized(stage, 2).await?;
    expect(ordinals(&two) == [1, 2], "the ordinals 1 and 2", ordinals(&two))?;
    let left = stage.observed(&stage.old).await?.instances;
    expect(left.len() == there.len().max(2), &format!("no instance beside the kept {kept:?}"), left)
}

async fn side_by_side(stage: &Stage<'_>) -> Result<(), Miss> {
    if !stage.subject.side_by_side() {
        return not_applicable("two releases must not run at once");
    }
    stage.start(&stage.old).await?;
    let before = stage.live(&stage.old).await?;
    stage.start(&stage.new).await?;
    let after = stage.live(&stage.old).await?;
    expect(before == after, &format!("the old set as before, {before:?}"), after)?;
    stage.target().remove(&stage.cx("stop"), &stage.new.set, false).await?;
    stage.asked(&stage.new, 0).await?;
    let after = stage.live(&stage.old).await?;
    expect(before == after, &format!("the old set as before, {before:?}"), after)
}

async fn remove(stage: &Stage<'_>, given: &Given, keep: bool) -> Result<(), Miss> {
    Ok(stage.target().remove(&stage.cx("stop"), &given.set, keep).await?)
}

async fn kept(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    for _ in 0..2 {
        remove(stage, &stage.old, true).await?;
        let world = stage.world().await?;
        let there = world.workload(&stage.old.set);
        let there = there.ok_or_else(|| Miss::Failed("expected the kept set to be known, but found none".into()))?;
        expect(there.asked == 0, "none to be asked for", there.asked)?;
        expect(there.live().next().is_none(), "no live instance", there.live().collect::<Vec<_>>())?;
        expect(there.release == stage.old.release, "the release as it was stored", &there.release)?;
    }
    Ok(())
}

async fn kept_comes_back(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    let before = ordinals(&stage.live(&stage.old).await?).len();
    remove(stage, &stage.old, true).await?;
    stage.start(&stage.old).await?;
    let there = stage.observed(&stage.old).await?.instances;
    expect(there.len() == before, &format!("{before} instances, and no further one"), there)
}

async fn removed(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    for _ in 0..2 {
        remove(stage, &stage.old, false).await?;
        nothing(stage).await?;
    }
    Ok(())
}

async fn remove_nothing(stage: &Stage<'_>) -> Result<(), Miss> {
    remove(stage, &stage.old, true).await?;
    remove(stage, &stage.old, false).await?;
    nothing(stage).await
}

async fn remove_kept(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    remove(stage, &stage.old, true).await?;
    remove(stage, &stage.old, false).await?;
    nothing(stage).await
}

/// Moments at which a call is cut short.
const CUTS: [u64; 6] = [0, 2, 8, 30, 120, 500];

async fn cut_ensure(stage: &Stage<'_>) -> Result<(), Miss> {
    for cut in CUTS {
        let (cx, set) = (stage.cx("start"), &stage.old.set);
        let over = stage.cut(Duration::from_millis(cut), stage.target().ensure(&cx, set, stage.some())).await;
        stage.start(&stage.old).await?;
        let there = stage.observed(&stage.old).await?;
        let live = ordinals(&stage.live(&stage.old).await?);
        let expected: Vec<u32> = (1..=there.asked).collect();
        expect(live == expected, &format!("the ordinals {expected:?} after a cut at {cut} ms"), live)?;
        if let Some(count) = stage.some() {
            expect(there.asked == count, &format!("{count} to be asked for after a cut at {cut} ms"), there.asked)?;
        }
        remove(stage, &stage.old, false).await?;
        if over {
            break;
        }
    }
    nothing(stage).await
}

async fn cut_remove(stage: &Stage<'_>) -> Result<(), Miss> {
    for cut in CUTS {
        stage.start(&stage.old).await?;
        let (cx, set) = (stage.cx("stop"), &stage.old.set);
        let over = stage.cut(Duration::from_millis(cut), stage.target().remove(&cx, set, false)).await;
        remove(stage, &stage.old, false).await?;
        nothing(stage).await?;
        if over {
            break;
        }
    }
    Ok(())
}

async fn replace(stage: &Stage<'_>) -> Result<(), Miss> {
    if !stage.can.replaces {
        return not_applicable("it replaces nothing in place");
    }
    stage.start(&stage.old).await?;
    let asked = stage.observed(&stage.old).await?.asked;
    let pace = Pace { surge: 1, unavailable: 0 };
    for (from, to) in [(&stage.old, &stage.new), (&stage.new, &stage.old)] {
        for _ in 0..2 {
            stage.target().replace(&stage.cx("replace"), &to.set, &from.release.id, pace).await?;
            stage.asked(to, asked).await?;
            stage.asked(from, 0).await?;
        }
        stage.healthy(to).await?;
        let gone = async || Ok(stage.live(from).await?.is_empty());
        stage.until(gone, &format!("every instance of {} to leave", from.release.id)).await?;
    }
    Ok(())
}

async fn no_replace(stage: &Stage<'_>) -> Result<(), Miss> {
    if stage.can.replaces {
        return not_applicable("it replaces in place");
    }
    let pace = Pace { surge: 1, unavailable: 0 };
    match stage.target().replace(&stage.cx("replace"), &stage.new.set, &stage.old.release.id, pace).await {
        Err(TargetError::Rejected { .. }) => nothing(stage).await,
        other => expect(false, "it to be rejected", other),
    }
}

async fn other_service(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    let other = crate::model::ServiceName::new("nothing-of-this-name");
    let there = stage.target().observe(&[other]).await?.workloads;
    expect(there.is_empty(), "no set", there)
}

async fn discards(stage: &Stage<'_>) -> Result<(), Miss> {
    for _ in 0..2 {
        stage.target().discard(&stage.cx("discard"), &stage.new.release.id).await?;
    }
    let stored = stage.world().await?.stored;
    expect(stored.contains(&stage.old.release.id), "the other payload to stay", &stored)?;
    match stored.contains(&stage.new.release.id) {
        true => not_applicable("it discards nothing"),
        false => Ok(()),
    }
}

async fn prune(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    remove(stage, &stage.old, true).await?;
    stage.start(&stage.new).await?;
    stage.target().prune(&stage.cx("prune"), stage.service(), 1).await?;
    let world = stage.world().await?;
    expect(world.workload(&stage.old.set).is_some(), "the newest kept set to stay", &world.workloads)?;
    stage.target().prune(&stage.cx("prune"), stage.service(), 0).await?;
    stage.healthy(&stage.new).await?;
    match stage.world().await?.workload(&stage.old.set) {
        Some(_) => not_applicable("it clears nothing"),
        None => Ok(()),
    }
}
