//! Greeting, and questions and answers over one connection, whatever they are about.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::frame::{FrameError, frame, read_frame, write_frame};

/// The version of the protocol that this crate speaks.
pub const PROTOCOL: u32 = 1;

/// The oldest version that this crate still understands.
pub const OLDEST_PROTOCOL: u32 = 1;

/// The first message each way. Both sides then speak the lower of the two `protocol`s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The newest version that the sender speaks.
    pub protocol: u32,
    /// The oldest version that the sender still understands.
    pub min: u32,
    /// What the sender is, such as the name of the service that a proxy answers for. For people.
    #[serde(default)]
    pub name: String,
}

impl Hello {
    /// The greeting of this crate's version.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { protocol: PROTOCOL, min: OLDEST_PROTOCOL, name: name.into() }
    }
}

/// Why two sides couldn't talk, or stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The stream failed or carried something else.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The other side left before its greeting.
    #[error("expected a greeting, but the connection was closed; is the process that listens there still starting?")]
    NoGreeting,
    /// No version is understood by both.
    #[error("expected control protocol {OLDEST_PROTOCOL} to {PROTOCOL}, but found {min} to {protocol}; {advice}")]
    Version {
        /// The oldest version of the other side.
        min: u32,
        /// The newest version of the other side.
        protocol: u32,
        /// Which side to upgrade.
        advice: &'static str,
    },
    /// The connection ended before the answer came. The question may have been acted on.
    #[error("the control connection closed before the answer; connect again and ask for the state before repeating")]
    Closed,
    /// The answer isn't one that this version knows.
    #[error("expected an answer of protocol {PROTOCOL}, but found another; upgrade this side")]
    UnknownAnswer(#[source] serde_json::Error),
}

/// Sends our greeting, reads theirs, and checks that there is a common version.
///
/// # Errors
///
/// [`LinkError::Version`] where there is none; otherwise the stream failed.
pub async fn greet<S>(io: &mut S, ours: &Hello) -> Result<Hello, LinkError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    write_frame(io, ours).await?;
    let theirs: Hello = read_frame(io).await?.ok_or(LinkError::NoGreeting)?;
    let advice = if theirs.protocol < OLDEST_PROTOCOL {
        "upgrade the other side"
    } else if theirs.min > PROTOCOL {
        "upgrade this side"
    } else {
        return Ok(theirs);
    };
    Err(LinkError::Version { min: theirs.min, protocol: theirs.protocol, advice })
}

/// A question on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) id: u64,
    pub(super) ask: serde_json::Value,
}

/// An answer on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Replied {
    pub(super) id: u64,
    pub(super) reply: serde_json::Value,
}

/// The answer, or why there is none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply<A, R> {
    Answer(A),
    Refusal(R),
}

/// Those who wait for an answer; `None` once the connection is gone.
type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<serde_json::Value>>>>>;

/// The asking side of a connection: questions `Q`, answers `A`, refusals `R`.
///
/// Any number of questions may be open at once. Dropping the link closes the connection.
#[derive(Debug)]
pub struct Link<Q, A, R> {
    theirs: Hello,
    next: AtomicU64,
    waiting: Waiting,
    /// Whole frames. The task that writes ends, and closes its half, when this is dropped.
    outgoing: mpsc::Sender<Vec<u8>>,
    reading: AbortHandle,
    about: PhantomData<fn(Q) -> (A, R)>,
}

impl<Q, A, R> Link<Q, A, R>
where
    Q: Serialize,
    A: DeserializeOwned,
    R: DeserializeOwned,
{
    /// Greets the other side and starts the two tasks that read and write.
    ///
    /// # Errors
    ///
    /// Those of [`greet`].
    pub async fn open<S>(mut io: S, ours: &Hello) -> Result<Self, LinkError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let theirs = greet(&mut io, ours).await?;
        let (mut reader, mut writer) = tokio::io::split(io);
        let waiting = Waiting::new(Mutex::new(Some(HashMap::new())));
        let (outgoing, mut questions) = mpsc::channel::<Vec<u8>>(64);
        let answers = Arc::clone(&waiting);
        let read = tokio::spawn(async move {
            while let Ok(Some(Replied { id, reply })) = read_frame(&mut reader).await {
                let asker = locked(&answers).as_mut().and_then(|open| open.remove(&id));
                if let Some(asker) = asker {
                    // Whoever no longer waits doesn't need the answer.
                    drop(asker.send(reply));
                }
            }
            locked(&answers).take();
        });
        let unsent = Arc::clone(&waiting);
        tokio::spawn(async move {
            while let Some(question) = questions.recv().await {
                let written = async {
                    writer.write_all(&question).await?;
                    writer.flush().await
                };
                if written.await.is_err() {
                    break;
                }
            }
            locked(&unsent).take();
            // An attached exec hears of the end only so. Where it can't be said, the other side is gone.
            let _ = writer.shutdown().await;
        });
        Ok(Self {
            theirs,
            next: AtomicU64::new(1),
            waiting,
            outgoing,
            reading: read.abort_handle(),
            about: PhantomData,
        })
    }

    /// The other side's greeting.
    #[must_use]
    pub fn theirs(&self) -> &Hello {
        &self.theirs
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        locked(&self.waiting).is_none()
    }

    /// Asks, and waits for the answer or the refusal. There is no time limit: the caller sets one.
    ///
    /// # Errors
    ///
    /// [`LinkError::Closed`] where the connection ended first: whether the question was acted on is then unknown.
    /// [`FrameError::TooLong`] where the question wasn't sent; the link goes on.
    ///
    /// # Cancellation
    ///
    /// A dropped question may still be acted on.
    pub async fn ask(&self, question: &Q) -> Result<Result<A, R>, LinkError> {
        let ask = serde_json::to_value(question).map_err(FrameError::from)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let question = frame(&Asked { id, ask })?;
        let (asker, answer) = oneshot::channel();
        locked(&self.waiting).as_mut().ok_or(LinkError::Closed)?.insert(id, asker);
        let entry = Entry { waiting: &self.waiting, id };
        self.outgoing.send(question).await.map_err(|_| LinkError::Closed)?;
        let reply = answer.await.map_err(|_| LinkError::Closed)?;
        drop(entry);
        Ok(match serde_json::from_value(reply).map_err(LinkError::UnknownAnswer)? {
            Reply::Answer(answer) => Ok(answer),
            Reply::Refusal(refusal) => Err(refusal),
        })
    }
}

impl<Q, A, R> Drop for Link<Q, A, R> {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Takes a question off the list when its asker goes away first.
struct Entry<'a> {
    waiting: &'a Waiting,
    id: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if let Some(open) = locked(self.waiting).as_mut() {
            open.remove(&self.id);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn versions_without_overlap_are_told_apart() {
        for (min, protocol, upgrade) in
            [(0, 0, "upgrade the other side"), (PROTOCOL + 1, PROTOCOL + 2, "upgrade this side")]
        {
            let (mut here, mut there) = tokio::io::duplex(1024);
            write_frame(&mut there, &Hello { protocol, min, name: String::new() }).await.unwrap();
            let found = greet(&mut here, &Hello::new("test")).await;
            assert!(matches!(found, Err(LinkError::Version { advice, .. }) if advice == upgrade), "{found:?}");
        }
    }

    #[tokio::test]
    async fn a_newer_side_that_still_understands_ours_is_accepted() {
        let (mut here, mut there) = tokio::io::duplex(1024);
        let newer = Hello { protocol: PROTOCOL + 5, min: PROTOCOL, name: "web".into() };
        write_frame(&mut there, &newer).await.unwrap();
        assert_eq!(greet(&mut here, &Hello::new("test")).await.unwrap(), newer);
    }

    #[tokio::test]
    async fn a_closed_connection_fails_every_open_question() {
        let (here, mut there) = tokio::io::duplex(1024);
        write_frame(&mut there, &Hello::new("other")).await.unwrap();
        let link: Link<u8, u8, u8> = Link::open(here, &Hello::new("test")).await.unwrap();
        let (a, b, ()) = tokio::join!(link.ask(&1), link.ask(&2), async {
            let _: Option<Hello> = read_frame(&mut there).await.unwrap();
            let _: Option<Asked> = read_frame(&mut there).await.unwrap();
            let _: Option<Asked> = read_frame(&mut there).await.unwrap();
            drop(there);
        });
        assert!(matches!((a, b), (Err(LinkError::Closed), Err(LinkError::Closed))));
        assert!(matches!(link.ask(&3).await, Err(LinkError::Closed)));
    }

    #[tokio::test]
    async fn answers_find_their_questions_in_any_order() {
        let (here, mut there) = tokio::io::duplex(1024);
        write_frame(&mut there, &Hello::new("other")).await.unwrap();
        let link: Link<u8, u8, u8> = Link::open(here, &Hello::new("test")).await.unwrap();
        let (a, b, ()) = tokio::join!(link.ask(&1), link.ask(&2), async {
            let _: Option<Hello> = read_frame(&mut there).await.unwrap();
            let first: Asked = read_frame(&mut there).await.unwrap().unwrap();
            let second: Asked = read_frame(&mut there).await.unwrap().unwrap();
            for Asked { id, ask } in [second, first] {
                let reply = serde_json::json!({ "answer": ask.as_u64().unwrap() * 10 });
                write_frame(&mut there, &Replied { id, reply }).await.unwrap();
            }
        });
        assert_eq!((a.unwrap(), b.unwrap()), (Ok(10), Ok(20)));
    }
}
