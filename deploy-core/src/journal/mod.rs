//! A deployment's append-only record: write-ahead, so that its state is a fold over it.
//!
//! Stored format 1, JSON lines: see `docs/journal.md`.

mod file;
mod line;
mod memory;
mod record;

pub use file::FileJournal;
pub use line::{LineError, read_line, write_line};
pub use memory::MemoryJournal;
pub use record::{RECORD_FORMAT, Record};

use crate::model::{DeploymentId, Fence};
use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};

/// How many journals are read at once: each may be a round trip.
const READ_AT_ONCE: usize = 16;

/// Where records are kept.
///
/// # Guarantees
/// An appended record is durable before `append` returns, and is read again in its place.
///
/// # Errors
/// [`JournalError`]. A failed `append` may have had its effect: the engine stops.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Adds a record; its `seq` is one more than the last one's, from 1.
    async fn append(&self, deployment: DeploymentId, record: &Record) -> Result<(), JournalError>;

    /// Adds records that follow each other, all under one fence. After a failure the first of them may be there.
    async fn append_all(&self, deployment: DeploymentId, records: &[Record]) -> Result<(), JournalError> {
        for record in records {
            self.append(deployment, record).await?;
        }
        Ok(())
    }

    /// A deployment's records in order; none for one that never was.
    async fn read(&self, deployment: DeploymentId) -> Result<Vec<Record>, JournalError>;

    /// The deployments with records, oldest first.
    async fn deployments(&self) -> Result<Vec<DeploymentId>, JournalError>;

    /// The last so many deployments with their records, newest first.
    async fn last(&self, most: usize) -> Result<Vec<(DeploymentId, Vec<Record>)>, JournalError> {
        let ids = self.deployments().await?.into_iter().rev().take(most);
        // made before any is read: a stream that makes them on its way isn't `Send` for every lifetime
        let reads: Vec<_> = ids.map(|id| async move { Ok((id, self.read(id).await?)) }).collect();
        stream::iter(reads).buffered(READ_AT_ONCE).try_collect().await
    }
}

/// Why a journal couldn't be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Somebody with a newer fence has taken over.
    #[error("expected {ours} to be the newest, but found {newest}: another deployer has taken over")]
    Fenced {
        /// Ours.
        ours: Fence,
        /// The newest.
        newest: Fence,
    },
    /// Our lease has ended, and nobody has taken over.
    #[error("expected to hold {ours}, but its lease has ended; nobody has taken over")]
    LeaseEnded {
        /// Ours, which is still the newest.
        ours: Fence,
    },
    /// Somebody else wrote in between, or a record is missing.
    #[error("expected record {expected}, but found record {found}")]
    OutOfOrder {
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A line in the middle is damaged; nothing is guessed.
    #[error(
        "expected a whole record at line {line} of the journal of deployment {deployment}, but found a damaged one; restore the journal, or move it away to start anew"
    )]
    Damaged {
        /// Whose journal.
        deployment: DeploymentId,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: LineError,
    },
    /// Written by a newer version.
    #[error(
        "expected a journal that format {RECORD_FORMAT} can read, but found one that needs format {needed}; use a newer deploy"
    )]
    TooNew {
        /// The format that it needs.
        needed: u16,
    },
    /// The disk, or the way to whoever keeps the journal.
    #[error("the journal couldn't be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
