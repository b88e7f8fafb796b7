//! The answering side of a connection.

use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::frame::{FrameError, read_frame, write_frame};
use super::link::{Asked, Hello, LinkError, Replied, Reply, greet};

/// How many questions of one connection are worked on at once; further ones wait unread.
const AT_ONCE: usize = 256;

/// Answers questions.
pub trait Handler: Send + Sync + 'static {
    /// A question.
    type Ask: DeserializeOwned + Send;
    /// Its answer.
    type Answer: Serialize + Send + Sync;
    /// Why there is none.
    type Refusal: Serialize + Send + Sync;

    /// Answers one question.
    ///
    /// # Cancellation
    ///
    /// Dropped when the asker goes away. What mustn't be left half done runs in a task of its own.
    fn answer(&self, ask: Self::Ask) -> impl Future<Output = Result<Self::Answer, Self::Refusal>> + Send;

    /// The refusal for a question that doesn't parse, for the given reason.
    fn not_understood(&self, reason: String) -> Self::Refusal;

    /// Called once an answer has been written.
    fn answered(&self, answer: &Self::Answer) {
        let _ = answer;
    }
}

/// Why a connection ended other than by the asker leaving.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The greeting failed.
    #[error("could not greet the asker")]
    Greeting(#[source] LinkError),
    /// The stream failed or carried something else.
    #[error("could not go on with the asker")]
    Stream(#[source] FrameError),
}

/// Greets the asker and answers its questions, side by side, until it leaves.
///
/// # Errors
///
/// [`ServeError`] where the asker speaks no common version or the stream breaks; questions still open are then
/// dropped, as they are when it leaves.
pub async fn serve<H, S>(mut io: S, ours: &Hello, handler: Arc<H>) -> Result<(), ServeError>
where
    H: Handler,
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    greet(&mut io, ours).await.map_err(ServeError::Greeting)?;
    let (mut reader, mut writer) = tokio::io::split(io);
    let (replies, mut ready) = mpsc::channel::<(Replied, oneshot::Sender<()>)>(64);

    let read = async {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut open = JoinSet::new();
        while let Some(Asked { id, ask }) = read_frame(&mut reader).await? {
            while open.try_join_next().is_some() {}
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
            let (handler, replies) = (Arc::clone(&handler), replies.clone());
            open.spawn(async move {
                let outcome = match serde_json::from_value(ask) {
                    Ok(ask) => handler.answer(ask).await,
                    Err(error) => Err(handler.not_understood(error.to_string())),
                };
                let reply = match &outcome {
                    Ok(answer) => Reply::Answer(answer),
                    Err(refusal) => Reply::Refusal(refusal),
                };
                let Ok(reply) = serde_json::to_value(reply) else { return };
                let (written, was_written) = oneshot::channel();
                // Fails only when the connection is gone, and with it the asker.
                drop(replies.send((Replied { id, reply }, written)).await);
                if let (Ok(answer), Ok(())) = (&outcome, was_written.await) {
                    handler.answered(answer);
                }
                drop(permit);
            });
        }
        Ok(())
    };
    let write = async {
        while let Some((reply, written)) = ready.recv().await {
            write_frame(&mut writer, &reply).await?;
            // Nobody waits where the question was dropped.
            let _ = written.send(());
        }
        Ok(())
    };
    tokio::select! {
        ended = read => ended,
        ended = write => ended,
    }
    .map_err(ServeError::Stream)
}

#[cfg(test)]
mod tests {
    use super::super::link::Link;
    use super::*;

    struct Halve;

    impl Handler for Halve {
        type Ask = u64;
        type Answer = u64;
        type Refusal = String;

        async fn answer(&self, ask: u64) -> Result<u64, String> {
            if ask % 2 == 1 { Err(format!("{ask} is odd")) } else { Ok(ask / 2) }
        }

        fn not_understood(&self, reason: String) -> String {
            format!("what? {reason}")
        }
    }

    #[tokio::test]
    async fn answers_refuses_and_survives_what_it_does_not_know() {
        let (here, there) = tokio::io::duplex(4096);
        let server = tokio::spawn(async move { serve(there, &Hello::new("halve"), Arc::new(Halve)).await });
        let link: Link<serde_json::Value, u64, String> = Link::open(here, &Hello::new("test")).await.unwrap();
        assert_eq!(link.theirs().name, "halve");
        assert_eq!(link.ask(&8.into()).await.unwrap(), Ok(4));
        assert_eq!(link.ask(&7.into()).await.unwrap(), Err("7 is odd".to_owned()));
        let refused = link.ask(&"eight".into()).await.unwrap().unwrap_err();
        assert!(refused.starts_with("what? invalid type"), "{refused}");
        assert_eq!(link.ask(&2.into()).await.unwrap(), Ok(1));
        drop(link);
        server.await.unwrap().unwrap();
    }
}
