//! What must be true of the lease.

use super::{
    cases,
    stage::{Miss, Stage, expect},
};
use crate::lease::{LeaseEnd, LeaseError};

cases! { "lease":
    "while somebody has it, nobody else takes it" => held,
    "freed, it goes to the next with a larger fence" => freed,
    "it can be renewed" => renewed,
    "what was lost can't be renewed or freed" => lost,
}

async fn held(stage: &Stage<'_>) -> Result<(), Miss> {
    let other = stage.subject.deployer().await?;
    match other.lease.take("another").await {
        Err(LeaseError::Held { holder, .. }) => expect(holder == "the suite", "the suite as its holder", holder),
        other => expect(false, "it to be held", other),
    }
}

async fn freed(stage: &Stage<'_>) -> Result<(), Miss> {
    let other = stage.subject.deployer().await?;
    stage.deployer.lease.free(stage.grant.fence).await?;
    let grant = other.lease.take("another").await?;
    expect(grant.fence > stage.grant.fence, &format!("a fence beyond {}", stage.grant.fence), grant.fence)?;
    expect(grant.before == LeaseEnd::Freed, "the one before to have been freed", grant.before)
}

async fn renewed(stage: &Stage<'_>) -> Result<(), Miss> {
    for _ in 0..3 {
        stage.deployer.lease.renew(stage.grant.fence).await?;
    }
    held(stage).await
}

async fn lost(stage: &Stage<'_>) -> Result<(), Miss> {
    let other = stage.subject.deployer().await?;
    stage.deployer.lease.free(stage.grant.fence).await?;
    let grant = other.lease.take("another").await?;
    let answer = stage.deployer.lease.renew(stage.grant.fence).await;
    expect(matches!(answer, Err(LeaseError::Lost { .. })), "it to be lost", answer)?;
    // whatever it answers, the newer one stays
    let _ = stage.deployer.lease.free(stage.grant.fence).await;
    Ok(other.lease.renew(grant.fence).await?)
}
