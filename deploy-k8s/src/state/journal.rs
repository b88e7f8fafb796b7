use super::{
    Held, TRIES,
    head::{HEAD, Head},
    journals::Journals,
    parts::{self, PART, Parts, RECORD},
};
use crate::{
    api::{ANSWER_BY, Api, CallError},
    patch::{JsonPatch, annotation, path},
};
use async_trait::async_trait;
use deploy_core::{
    journal::{Journal, JournalError, LineError, Record, read_line, write_line},
    model::{DeploymentId, Event},
    target::TargetError,
};
use k8s_openapi::api::core::v1::ConfigMap;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How long until a server is asked again that didn't answer.
const PAUSE: Duration = Duration::from_millis(200);

/// The journals of a namespace: a ConfigMap a deployment, with the lines of `docs/journal.md` under their numbers. What no
/// longer fits goes on in another one.
///
/// An append, of one record or several, is one request: a patch that tests where the journal stands.
pub(crate) struct KubeJournal {
    api: Api,
    held: Arc<Held>,
    /// The one that was written last, so that nothing is read before the next append. Empty after a failure.
    open: Mutex<Option<Open>>,
}

/// A journal as the next record finds it.
struct Open {
    deployment: DeploymentId,
    part: usize,
    head: Head,
    size: usize,
}

/// What is known before a record is written.
enum Before {
    Nothing,
    /// It will be the first one.
    Absent,
    Open(Open),
    /// The record is there: an answer was lost.
    Done(Open),
}

/// Records on their way: all of them are written, or none.
struct Entry<'a> {
    deployment: DeploymentId,
    first: &'a Record,
    last: &'a Record,
    lines: BTreeMap<u64, String>,
}

/// Why a record wasn't written.
enum Miss {
    Refused(JournalError),
    Call(CallError),
}

/// The journal isn't as we write them.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("expected a record of at most {RECORD} bytes, but found one of {found}; deploy fewer services at once")]
    TooLong { found: usize },
    #[error(
        "expected the annotation {HEAD} on ConfigMap {name}, but found none; delete the ConfigMap to start anew without it"
    )]
    NoHead { name: String },
}

impl KubeJournal {
    pub(crate) fn new(api: Api, held: Arc<Held>) -> Self {
        Self { api, held, open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, entry: &Entry<'_>, before: Before) -> Result<Open, Miss> {
        let before = match before {
            Before::Absent => Before::Absent,
            Before::Open(open) if entry.follows(open.head) => Before::Open(open),
            _ => entry.look(&Parts::read(&self.api, entry.deployment).await?)?,
        };
        match before {
            Before::Done(open) => Ok(open),
            Before::Open(open) if open.size + entry.size() <= PART => self.add(entry, open).await,
            Before::Open(open) => self.begin(entry, open.part + 1).await,
            Before::Absent | Before::Nothing => self.begin(entry, 1).await,
        }
    }

    async fn begin(&self, entry: &Entry<'_>, part: usize) -> Result<Open, Miss> {
        let head = entry.head();
        self.held.unlisted();
        self.api.create(&parts::part(entry.deployment, part, head, &entry.lines)).await?;
        Ok(Open { deployment: entry.deployment, part, head, size: entry.size() })
    }

    async fn add(&self, entry: &Entry<'_>, open: Open) -> Result<Open, Miss> {
        let head = entry.head();
        let patch = JsonPatch::new().test(annotation(HEAD), open.head.to_string());
        let add = |patch: JsonPatch, (seq, line): (&u64, &String)| {
            patch.set(path(["data", &parts::key(*seq)]), line.as_str())
        };
        let patch = entry.lines.iter().fold(patch, add).set(annotation(HEAD), head.to_string());
        self.api.patch::<ConfigMap>(&parts::name(open.deployment, open.part), patch).await?;
        Ok(Open { head, size: open.size + entry.size(), ..open })
    }
}

impl<'a> Entry<'a> {
    /// None of no records.
    fn of(deployment: DeploymentId, records: &'a [Record]) -> Result<Option<Self>, JournalError> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(None) };
        let mut lines = BTreeMap::new();
        for record in records {
            let line = write_line(record).map_err(|error| JournalError::Unreachable(error.into()))?;
            if line.len() > RECORD - parts::key(record.seq).len() {
                return Err(JournalError::Unreachable(Unfit::TooLong { found: line.len() }.into()));
            }
            lines.insert(record.seq, line);
        }
        Ok(Some(Self { deployment, first, last, lines }))
    }

    fn size(&self) -> usize {
        self.lines.iter().map(|(seq, line)| parts::key(*seq).len() + line.len()).sum()
    }

    /// The journal's head with these records as its last ones.
    fn head(&self) -> Head {
        let Record { fence, seq, ref event, .. } = *self.last;
        Head { fence, seq, ended: matches!(event, Event::Ended(_)) }
    }

    fn follows(&self, head: Head) -> bool {
        self.first.seq == head.seq + 1 && self.first.fence >= head.fence
    }

    /// Whether all of them are there already.
    fn is_in(&self, parts: &Parts) -> bool {
        let there = parts.lines();
        self.lines.iter().all(|(seq, line)| there.get(seq) == Some(&line.as_str()))
    }

    /// Where the records belong in a journal as it was read.
    fn look(&self, parts: &Parts) -> Result<Before, JournalError> {
        let Record { seq, fence: ours, .. } = *self.first;
        let Some(last) = parts.last() else {
            return if seq == 1 {
                Ok(Before::Absent)
            } else {
                Err(JournalError::OutOfOrder { expected: 1, found: seq })
            };
        };
        let head = last.metadata.annotations.as_ref().and_then(|all| all.get(HEAD)?.parse::<Head>().ok());
        let part = parts.count();
        let name = || parts::name(self.deployment, part);
        let head = head.ok_or_else(|| JournalError::Unreachable(Unfit::NoHead { name: name() }.into()))?;
        let open = Open { deployment: self.deployment, part, head, size: parts::size(last) };
        if head.fence > ours {
            Err(JournalError::Fenced { ours, newest: head.fence })
        } else if self.follows(head) {
            Ok(Before::Open(open))
        } else if self.last.seq == head.seq && self.is_in(parts) {
            Ok(Before::Done(open))
        } else {
            Err(JournalError::OutOfOrder { expected: head.seq + 1, found: seq })
        }
    }
}

#[async_trait]
impl Journal for KubeJournal {
    /// Goes on where the API server doesn't answer for a while: what it wrote is found.
    async fn append(&self, deployment: DeploymentId, record: &Record) -> Result<(), JournalError> {
        self.append_all(deployment, std::slice::from_ref(record)).await
    }

    /// One request, unless they are very long.
    async fn append_all(&self, deployment: DeploymentId, records: &[Record]) -> Result<(), JournalError> {
        let Some(entry) = Entry::of(deployment, records)? else { return Ok(()) };
        if records.len() > 1 && entry.size() > RECORD {
            for record in records {
                self.append(deployment, record).await?;
            }
            return Ok(());
        }
        let mut before = match self.open().take().filter(|open| open.deployment == deployment) {
            Some(open) => Before::Open(open),
            None if entry.first.seq == 1 => Before::Absent,
            None => Before::Nothing,
        };
        let (mut stale, until) = (0, Instant::now() + ANSWER_BY);
        loop {
            self.held.admit(entry.first.fence).map_err(refused)?;
            match self.write(&entry, before).await {
                Ok(open) => {
                    *self.open() = Some(open);
                    return Ok(());
                }
                Err(Miss::Call(error)) if stale < TRIES && (error.is_stale() || error.code() == Some(404)) => {
                    stale += 1
                }
                Err(Miss::Call(error)) if may_pass(&error) && Instant::now() < until => sleep(PAUSE).await,
                Err(Miss::Call(error)) => return Err(unreachable(error)),
                Err(Miss::Refused(error)) => return Err(error),
            }
            before = Before::Nothing;
        }
    }

    async fn read(&self, deployment: DeploymentId) -> Result<Vec<Record>, JournalError> {
        records(deployment, &Parts::read(&self.api, deployment).await.map_err(unreachable)?)
    }

    async fn deployments(&self) -> Result<Vec<DeploymentId>, JournalError> {
        if let Some(listed) = self.held.deployments() {
            return Ok(listed);
        }
        let ours = self.held.ours();
        let listed = Journals::list(&self.api).await.map_err(unreachable)?.deployments();
        ours.into_iter().for_each(|fence| self.held.listed(fence, listed.clone()));
        Ok(listed)
    }

    /// Two requests, or one where the lease is ours.
    async fn last(&self, most: usize) -> Result<Vec<(DeploymentId, Vec<Record>)>, JournalError> {
        let ids: Vec<_> = self.deployments().await?.into_iter().rev().take(most).collect();
        let parts = Parts::read_all(&self.api, &ids).await.map_err(unreachable)?;
        let read = |id| Ok((id, parts.get(&id).map_or(Ok(Vec::new()), |parts| records(id, parts))?));
        ids.into_iter().map(read).collect()
    }
}

/// The records of a journal as it was read.
fn records(deployment: DeploymentId, parts: &Parts) -> Result<Vec<Record>, JournalError> {
    let mut records = Vec::new();
    for (seq, line) in parts.lines() {
        let expected = records.len() as u64 + 1;
        let record = read_line(line).map_err(|error| match error {
            LineError::TooNew { needed } => JournalError::TooNew { needed },
            source => JournalError::Damaged { deployment, line: records.len() + 1, source },
        })?;
        if record.seq != expected || seq != expected {
            return Err(JournalError::OutOfOrder { expected, found: record.seq.max(seq) });
        }
        records.push(record);
    }
    Ok(records)
}

fn may_pass(error: &CallError) -> bool {
    matches!(error.code(), None | Some(429 | 500..))
}

fn unreachable(error: CallError) -> JournalError {
    JournalError::Unreachable(error.into())
}

/// A refusal as a journal says it.
fn refused(error: TargetError) -> JournalError {
    match error {
        TargetError::Fenced { ours, newest } => JournalError::Fenced { ours, newest },
        TargetError::LeaseEnded { ours } => JournalError::LeaseEnded { ours },
        other => JournalError::Unreachable(other.into()),
    }
}

impl From<CallError> for Miss {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<JournalError> for Miss {
    fn from(error: JournalError) -> Self {
        Self::Refused(error)
    }
}
