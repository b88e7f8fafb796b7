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
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How long until a server is asked again that didn't answer.
const PAUSE: Duration = Duration::from_millis(200);

/// The journals of a namespace: a ConfigMap a deployment, with the lines of `docs/journal.md` under their numbers. What no
/// longer fits goes on in another one.
///
/// An append is one request, a patch that tests where the journal stands.
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

/// A record on its way.
struct Entry<'a> {
    deployment: DeploymentId,
    record: &'a Record,
    line: String,
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
        self.api.create(&parts::part(entry.deployment, part, head, &entry.line)).await?;
        Ok(Open { deployment: entry.deployment, part, head, size: entry.size() })
    }

    async fn add(&self, entry: &Entry<'_>, open: Open) -> Result<Open, Miss> {
        let head = entry.head();
        let patch = JsonPatch::new()
            .test(annotation(HEAD), open.head.to_string())
            .set(path(["data", &parts::key(head.seq)]), entry.line.as_str())
            .set(annotation(HEAD), head.to_string());
        self.api.patch::<ConfigMap>(&parts::name(open.deployment, open.part), patch).await?;
        Ok(Open { head, size: open.size + entry.size(), ..open })
    }
}

impl Entry<'_> {
    fn size(&self) -> usize {
        parts::key(self.record.seq).len() + self.line.len()
    }

    /// The journal's head with this record as its last one.
    fn head(&self) -> Head {
        let Record { fence, seq, ref event, .. } = *self.record;
        Head { fence, seq, ended: matches!(event, Event::Ended(_)) }
    }

    fn follows(&self, head: Head) -> bool {
        self.record.seq == head.seq + 1 && self.record.fence >= head.fence
    }

    /// Where the record belongs in a journal as it was read.
    fn look(&self, parts: &Parts) -> Result<Before, JournalError> {
        let Record { seq, fence: ours, .. } = *self.record;
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
        } else if seq == head.seq && parts.lines().get(&seq) == Some(&self.line.as_str()) {
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
        let line = write_line(record).map_err(|error| JournalError::Unreachable(error.into()))?;
        if line.len() > RECORD - parts::key(record.seq).len() {
            return Err(JournalError::Unreachable(Unfit::TooLong { found: line.len() }.into()));
        }
        let entry = Entry { deployment, record, line };
        let mut before = match self.open().take().filter(|open| open.deployment == deployment) {
            Some(open) => Before::Open(open),
            None if record.seq == 1 => Before::Absent,
            None => Before::Nothing,
        };
        let (mut stale, until) = (0, Instant::now() + ANSWER_BY);
        loop {
            self.held.admit(record.fence).map_err(refused)?;
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
        let parts = Parts::read(&self.api, deployment).await.map_err(unreachable)?;
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

    async fn deployments(&self) -> Result<Vec<DeploymentId>, JournalError> {
        Ok(Journals::list(&self.api).await.map_err(unreachable)?.deployments())
    }
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
