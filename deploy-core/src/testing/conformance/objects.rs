//! What must be true of payloads and objects.

use super::{
    cases,
    stage::{Miss, Stage, expect},
};
use crate::model::Object;

cases! { "objects":
    "a stored payload is known, and may be stored again" => stored,
    "an applied object is reported as described" => applied,
    "apply again changes nothing" => apply_again,
    "a deleted object is gone, and may be deleted again" => deleted,
}

async fn stored(stage: &Stage<'_>) -> Result<(), Miss> {
    for _ in 0..2 {
        let known = stage.world().await?.stored;
        for given in [&stage.old, &stage.new] {
            expect(known.contains(&given.release.id), &format!("{} to be stored", given.release.id), &known)?;
            stage.target().store(&stage.cx("store"), &given.release, &given.payload).await?;
        }
    }
    Ok(())
}

fn object(stage: &Stage<'_>) -> Result<Object, Miss> {
    let object = stage.subject.objects().into_iter().next();
    object.ok_or_else(|| Miss::NotApplicable("the service stands on no object".into()))
}

async fn there(stage: &Stage<'_>, object: &Object) -> Result<(), Miss> {
    let objects = stage.world().await?.objects;
    expect(objects.contains(object), &format!("{object:?}"), objects)
}

async fn applied(stage: &Stage<'_>) -> Result<(), Miss> {
    there(stage, &object(stage)?).await
}

async fn apply_again(stage: &Stage<'_>) -> Result<(), Miss> {
    let object = object(stage)?;
    let before = stage.world().await?.objects;
    stage.target().apply(&stage.cx("apply"), &object).await?;
    let after = stage.world().await?.objects;
    expect(before == after, &format!("{before:?}"), after)
}

async fn deleted(stage: &Stage<'_>) -> Result<(), Miss> {
    object(stage)?;
    // what stands on another goes first
    for object in stage.subject.objects().iter().rev() {
        for _ in 0..2 {
            stage.target().delete(&stage.cx("delete"), &object.object).await?;
            let left = stage.world().await?.objects;
            expect(left.iter().all(|there| there.object != object.object), &format!("no {}", object.object), left)?;
        }
    }
    for object in stage.subject.objects() {
        stage.target().apply(&stage.cx("apply"), &object).await?;
        there(stage, &object).await?;
    }
    Ok(())
}
