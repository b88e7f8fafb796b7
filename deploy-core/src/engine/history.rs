use super::State;
use crate::{
    journal::{Journal, JournalError},
    model::DeploymentId,
};
use jiff::Timestamp;

/// A deployment of the past, or the one under way.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Its number.
    pub id: DeploymentId,
    /// When it was planned.
    pub began: Timestamp,
    /// When its last event happened.
    pub last: Timestamp,
    /// Its state; none where its records don't follow each other.
    pub state: Option<State>,
}

/// The last deployments, newest first.
///
/// # Errors
/// Where a journal can't be read; a journal of a newer format too.
pub async fn history(journal: &dyn Journal, most: usize) -> Result<Vec<Deployment>, JournalError> {
    let mut deployments = Vec::new();
    for id in journal.deployments().await?.into_iter().rev().take(most) {
        let records = journal.read(id).await?;
        if let (Some(first), Some(last)) = (records.first(), records.last()) {
            let state = State::replay(&records).ok().flatten();
            deployments.push(Deployment { id, began: first.at, last: last.at, state });
        }
    }
    Ok(deployments)
}
