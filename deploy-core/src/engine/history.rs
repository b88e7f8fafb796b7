use super::State;
use crate::{
    journal::{Journal, JournalError, Record},
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
    let deployment = |(id, records): (DeploymentId, Vec<Record>)| {
        let (began, last) = (records.first()?.at, records.last()?.at);
        Some(Deployment { id, began, last, state: State::replay(&records).ok().flatten() })
    };
    Ok(journal.last(most).await?.into_iter().filter_map(deployment).collect())
}
