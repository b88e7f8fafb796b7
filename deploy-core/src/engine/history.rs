use super::State;
use crate::{
    journal::{Journal, JournalError, Record},
    model::DeploymentId,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

/// How many journals are read at once: each may be a round trip.
const READ_AT_ONCE: usize = 16;

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
    let ids = journal.deployments().await?.into_iter().rev().take(most);
    // made before any is read: a stream that makes them on its way isn't `Send` for every lifetime
    let reads: Vec<_> = ids.map(|id| async move { Ok((id, journal.read(id).await?)) }).collect();
    let read: Vec<_> = stream::iter(reads).buffered(READ_AT_ONCE).try_collect().await?;
    let deployment = |(id, records): (DeploymentId, Vec<Record>)| {
        let (began, last) = (records.first()?.at, records.last()?.at);
        Some(Deployment { id, began, last, state: State::replay(&records).ok().flatten() })
    };
    Ok(read.into_iter().filter_map(deployment).collect())
}
