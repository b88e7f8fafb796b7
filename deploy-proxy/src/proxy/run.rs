//! A proxy as a process.

use std::io;

use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

use super::config::Config;
use super::init::reap;
use super::running::{Proxy, StartError};

/// Why a proxy process ended badly.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The system refused threads or signals.
    #[error("could not set up the process; raise its limits")]
    Process(#[from] io::Error),
    /// The proxy didn't start.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Runs a proxy until SIGTERM, SIGINT or a command ends it, in good order. Builds its own runtime, so it is called from
/// a thread that has none.
///
/// # Errors
///
/// [`RunError`], before anything was served.
pub fn run(config: Config) -> Result<(), RunError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        // Before anything else: process 1 has no default for them, so a signal that comes early would be lost.
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut grace = config.grace;
        let running = Proxy::start(config).await?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            asked = running.asked_to_stop() => grace = asked,
            () = reap() => {}
        }
        running.stop(grace).await;
        Ok(())
    })
}
