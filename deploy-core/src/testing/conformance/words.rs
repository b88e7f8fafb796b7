//! What must be true of what instances tell: probes, changes, logs.

use super::{
    cases,
    stage::{Miss, Stage, expect, not_applicable},
};
use crate::{model::Millis, prober::Answer};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::timeout;

cases! { "words":
    "a stopped instance answers no probe" => stopped_is_silent,
    "watch yields when an instance starts" => watch,
    "logs yields the last lines, and no more" => logs,
}

async fn stopped_is_silent(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    let live = stage.live(&stage.old).await?;
    stage.target().remove(&stage.cx("stop"), &stage.old.set, true).await?;
    for instance in live {
        let answer = stage.target().prober().probe(&instance, &stage.subject.probe(), Millis::from_secs(2)).await;
        let silent = matches!(answer, Err(_) | Ok(Answer::Failure { .. } | Answer::NoSuchTest));
        expect(silent, "no answer", answer)?;
    }
    Ok(())
}

async fn watch(stage: &Stage<'_>) -> Result<(), Miss> {
    let mut changes = stage.target().watch();
    let yields = async {
        let (next, started) = futures_util::future::join(changes.next(), stage.start(&stage.old)).await;
        started.map(|()| next.is_some())
    };
    match timeout(stage.subject.patience().duration() / 2, yields).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(Miss::Failed("expected it to go on, but it ended".into())),
        Ok(Err(miss)) => Err(miss),
        Err(_) => not_applicable("it never yields: checks look again at their interval"),
    }
}

async fn logs(stage: &Stage<'_>) -> Result<(), Miss> {
    stage.start(&stage.old).await?;
    let live = stage.live(&stage.old).await?;
    let Some(first) = live.first() else { return Err(Miss::Failed("expected an instance, but found none".into())) };
    let mut all = stage.target().logs(first, 1000).await?;
    for _ in 0..20 {
        if !all.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        all = stage.target().logs(first, 1000).await?;
    }
    let Some(last) = all.last() else { return not_applicable("it has no logs, or its instances write none") };
    let one = stage.target().logs(first, 1).await?;
    expect(one.len() == 1, &format!("one line, such as {last:?}"), one)
}
