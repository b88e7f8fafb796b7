//! The agent's side of the conversation with its deployer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deploy_core::journal::{FileJournal, Journal, JournalError, Record};
use deploy_core::lease::Grant;
use deploy_core::model::{DeploymentId, Fence};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::lease::Standing;
use super::{Answer, Refusal, Request, State, Taken, journal, proxies};
use crate::control::{self, Handler, Hello, PROTOCOL};
use crate::proxy;

/// How long a lease holds unless it is renewed, and how long an agent and its deployer may hear nothing of each other.
pub const DEFAULT_TTL: Duration = Duration::from_secs(15);

/// Serves one deployer over a pair of byte streams until it leaves, `told` to end is over, or it hasn't been heard of for
/// the lease's time to live. A lease that it still has then is abandoned or, in the last case, expired.
///
/// # Errors
/// [`Refusal::Storage`] where the end of the lease couldn't be written down: it then ends with this process. A deployer
/// that leaves without a word is none.
pub async fn serve<S>(state: State, io: S, told: impl Future<Output = bool>) -> Result<(), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let journal = Mutex::new(Arc::new(open_journal(&state)?));
    let inner = Arc::new(Inner { state, journal, taken: Mutex::new(None), heard: Mutex::new(Instant::now()) });
    let (hello, agent) = (Hello::new("agent"), Arc::new(Agent(Arc::clone(&inner))));
    let ended = tokio::select! {
        _ = control::serve(io, &hello, agent) => Standing::Abandoned,
        true = told => Standing::Abandoned,
        () = inner.silence() => Standing::Expired,
    };
    spawn_blocking(move || match lock(&inner.taken).take() {
        Some(taken) => inner.state.leave(taken, ended),
        None => Ok(()),
    })
    .await
    .unwrap_or(Ok(()))
}

fn open_journal(state: &State) -> Result<FileJournal, Refusal> {
    let folder = state.path("journal");
    super::file::folder(&folder)?;
    FileJournal::new(&folder).map_err(|error| Refusal::storage("make", &folder, &error))
}

struct Inner {
    state: State,
    /// Opened anew with each lease: somebody else may have written in between.
    journal: Mutex<Arc<FileJournal>>,
    taken: Mutex<Option<Taken>>,
    /// When the deployer was last heard of.
    heard: Mutex<Instant>,
}

impl Inner {
    /// Ends when nothing was heard for the lease's time to live.
    async fn silence(&self) {
        loop {
            let limit = *lock(&self.heard) + self.state.ttl;
            if limit <= Instant::now() {
                return;
            }
            sleep_until(limit).await;
        }
    }

    fn take(&self, take: impl FnOnce(&State) -> Result<Taken, Refusal>) -> Result<Grant, Refusal> {
        let journal = open_journal(&self.state)?;
        let taken = take(&self.state)?;
        let grant = taken.grant;
        *lock(&self.taken) = Some(taken);
        *lock(&self.journal) = Arc::new(journal);
        Ok(grant)
    }

    fn free(&self, fence: Fence) -> Result<(), Refusal> {
        self.state.free(fence)?;
        lock(&self.taken).take_if(|taken| taken.grant.fence == fence);
        Ok(())
    }

    fn append(&self, deployment: DeploymentId, record: &Record) -> Result<(), Refusal> {
        let journal = Arc::clone(&lock(&self.journal));
        let appended =
            self.state.while_held(record.fence, || Handle::current().block_on(journal.append(deployment, record)));
        appended?.map_err(|error| self.refusal(error))
    }

    fn journal<T>(&self, read: impl AsyncFnOnce(&FileJournal) -> Result<T, JournalError>) -> Result<T, Refusal> {
        let journal = Arc::clone(&lock(&self.journal));
        Handle::current().block_on(read(&journal)).map_err(|error| self.refusal(error))
    }

    fn refusal(&self, error: JournalError) -> Refusal {
        journal::refusal(error, &self.journal_folder())
    }

    fn journal_folder(&self) -> PathBuf {
        self.state.path("journal")
    }

    /// Answers what needs the disk only; blocks for as long as that takes.
    fn on_disk(&self, request: Request) -> Result<Answer, Refusal> {
        let done = |()| Answer::Done;
        match request {
            Request::TakeLease { holder } => self.take(|state| state.take(&holder)).map(Answer::Granted),
            Request::RetakeLease { fence } => self.take(|state| state.retake(fence)).map(Answer::Granted),
            Request::RenewLease { fence } => self.state.renew(fence).map(done),
            Request::FreeLease { fence } => self.free(fence).map(done),
            Request::CheckFence { fence } => self.state.while_held(fence, || Answer::Done),
            Request::Append { deployment, record } => self.append(deployment, &record).map(done),
            Request::ReadJournal { deployment } => {
                self.journal(async |journal| journal.read(deployment).await).map(Answer::Records)
            }
            Request::ListDeployments => {
                self.journal(async |journal| journal.deployments().await).map(Answer::Deployments)
            }
            Request::StorePayload { fence, release, payload } => {
                self.state.store_payload(fence, &release, &payload).map(done)
            }
            Request::LoadPayload { release } => self.state.load_payload(&release).map(Answer::Payload),
            Request::ListPayloads => self.state.payloads().map(Answer::Payloads),
            Request::RemovePayload { fence, release } => self.state.remove_payload(fence, &release).map(done),
            Request::Key => self.state.key().map(Answer::Key),
            Request::Proxy { command, .. } => match command.fence() {
                Some(fence) => self.state.while_held(fence, || Answer::Done),
                None => Ok(Answer::Done),
            },
            Request::Beat | Request::Probe { .. } => Ok(Answer::Done),
        }
    }
}

struct Agent(Arc<Inner>);

impl Handler for Agent {
    type Ask = Request;
    type Answer = Answer;
    type Refusal = Refusal;

    async fn answer(&self, request: Request) -> Result<Answer, Refusal> {
        *lock(&self.0.heard) = Instant::now();
        match &request {
            Request::Beat => return Ok(Answer::Done),
            Request::Probe { probe, timeout_ms } => {
                return Ok(Answer::Probed(proxy::probe(probe, Duration::from_millis(*timeout_ms)).await));
            }
            _ => {}
        }
        let onwards = match &request {
            Request::Proxy { service, wait_ms, command } => Some((service.clone(), *wait_ms, command.clone())),
            _ => None,
        };
        // a task of its own: what was begun is ended, even where the deployer has left
        let inner = Arc::clone(&self.0);
        let answer = spawn_blocking(move || inner.on_disk(request)).await;
        let answer = answer.unwrap_or_else(|error| Err(self.not_understood(error.to_string())))?;
        match onwards {
            None => Ok(answer),
            Some((service, wait_ms, command)) => {
                let wait = Duration::from_millis(wait_ms);
                proxies::ask(&self.0.state, &service, wait, &command).await.map(Answer::Proxy)
            }
        }
    }

    fn not_understood(&self, reason: String) -> Refusal {
        Refusal::NotUnderstood { protocol: PROTOCOL, reason }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
