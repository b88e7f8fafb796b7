//! Tells when a process has ended, whoever its parent is.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::process::Process;

/// The processes that are watched, and who is told.
#[derive(Clone)]
pub(crate) struct Watch {
    watched: Arc<Mutex<HashSet<Process>>>,
    changes: broadcast::Sender<()>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { watched: Arc::default(), changes: broadcast::channel(16).0 }
    }

    /// Tells of this process's end, once.
    pub(crate) fn add(&self, process: Process) {
        let is_new = |watch: &Self| watch.watched.lock().unwrap_or_else(PoisonError::into_inner).insert(process);
        if !is_new(self) {
            return;
        }
        let watch = self.clone();
        tokio::spawn(async move {
            if let Ok(Some(hold)) = process.hold() {
                // where it can't be watched, checks look again at their interval
                let _ = hold.ended().await;
            }
            watch.watched.lock().unwrap_or_else(PoisonError::into_inner).remove(&process);
            watch.tell();
        });
    }

    /// Something changed.
    pub(crate) fn tell(&self) {
        // nobody may be listening
        let _ = self.changes.send(());
    }

    pub(crate) fn stream(&self) -> BoxStream<'static, ()> {
        let next = |mut changes: broadcast::Receiver<()>| async move {
            match changes.recv().await {
                Ok(()) | Err(RecvError::Lagged(_)) => Some(((), changes)),
                Err(RecvError::Closed) => None,
            }
        };
        stream::unfold(self.changes.subscribe(), next).boxed()
    }
}
