//! What must be true of the journal.

use super::{
    cases,
    stage::{Miss, Stage, expect, not_applicable},
};
use crate::{
    journal::{JournalError, Record},
    model::{DeploymentId, Event, Fence},
};
use serde_json::json;

cases! { "journal":
    "what was appended is read again, to another deployer too" => read_again,
    "an event of a newer version is kept as it is" => newer,
    "a deployment that never was has no records" => never_was,
    "records have numbers without gaps" => numbers,
    "a late record is refused" => late,
}

impl From<JournalError> for Miss {
    fn from(error: JournalError) -> Self {
        Self::Failed(format!("expected the journal to work, but found: {error}"))
    }
}

/// Far from what anybody deploys in earnest.
fn deployment(after: &[DeploymentId]) -> DeploymentId {
    DeploymentId(after.iter().map(|id| id.0).max().unwrap_or(0).max(1_000_000) + 1)
}

fn event(reason: &str) -> Event {
    Event::Suspended { reason: reason.into() }
}

async fn append(stage: &Stage<'_>, id: DeploymentId, seq: u64, event: Event) -> Result<Record, JournalError> {
    let record = Record::new(seq, stage.grant.fence, event);
    stage.deployer.journal.append(id, &record).await.map(|()| record)
}

async fn read_again(stage: &Stage<'_>) -> Result<(), Miss> {
    let before = stage.deployer.journal.deployments().await?;
    let id = deployment(&before);
    let mut records = Vec::new();
    for seq in 1..=3 {
        records.push(append(stage, id, seq, event(&format!("record {seq}, \"quoted\"\n and über lines"))).await?);
    }
    let other = stage.subject.deployer().await?;
    let read = other.journal.read(id).await?;
    expect(read == records, &format!("{records:?}"), read)?;
    let after = other.journal.deployments().await?;
    expect(after == [before, vec![id]].concat(), "the new deployment as the last one", after)
}

async fn newer(stage: &Stage<'_>) -> Result<(), Miss> {
    let id = deployment(&stage.deployer.journal.deployments().await?);
    let unknown = Event::Unknown(json!({ "event": "from-the-future", "number": 7, "nested": { "list": [1, null] } }));
    let record = append(stage, id, 1, unknown).await?;
    let read = stage.deployer.journal.read(id).await?;
    expect(read == [record], "it as it was written", read)
}

async fn never_was(stage: &Stage<'_>) -> Result<(), Miss> {
    let read = stage.deployer.journal.read(deployment(&stage.deployer.journal.deployments().await?)).await?;
    expect(read.is_empty(), "no record", read)
}

async fn numbers(stage: &Stage<'_>) -> Result<(), Miss> {
    let id = deployment(&stage.deployer.journal.deployments().await?);
    append(stage, id, 1, event("first")).await?;
    for wrong in [0, 1, 3] {
        match append(stage, id, wrong, event("wrong")).await {
            Err(JournalError::OutOfOrder { .. }) => {}
            other => expect(false, &format!("record {wrong} to be refused"), other)?,
        }
    }
    append(stage, id, 2, event("second")).await?;
    let read = stage.deployer.journal.read(id).await?.len();
    expect(read == 2, "two records", read)
}

async fn late(stage: &Stage<'_>) -> Result<(), Miss> {
    let id = deployment(&stage.deployer.journal.deployments().await?);
    append(stage, id, 1, event("first")).await?;
    let other = stage.subject.deployer().await?;
    stage.deployer.lease.free(stage.grant.fence).await?;
    let Fence(newest) = other.lease.take("another").await?.fence;
    match append(stage, id, 2, event("late")).await {
        Err(JournalError::Fenced { ours, .. }) => expect(ours.0 < newest, "our fence to be the older one", ours),
        Ok(_) => not_applicable("it knows no fence"),
        Err(other) => expect(false, "it to be refused as fenced", other),
    }
}
