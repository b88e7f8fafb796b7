//! Questions that an agent passes on to the proxies beside it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::journal::causes;
use super::{Refusal, State};
use crate::control::{self, Answer, AskError, Command};

/// The pause between two attempts to reach a proxy that isn't there yet.
const AGAIN: Duration = Duration::from_millis(10);

/// The shortest time that one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Asks a service's proxy, each time over a connection of its own, so that none is ever stale. A proxy that doesn't
/// answer yet is waited for at most so long; the answer itself has no time limit here, because a drain takes its time.
pub(super) async fn ask(state: &State, service: &str, wait: Duration, command: &Command) -> Result<Answer, Refusal> {
    let path = state.socket(service)?;
    let by = Instant::now() + wait;
    let proxy = loop {
        let left = by.saturating_duration_since(Instant::now());
        let reason = match timeout(left.max(ATTEMPT), control::Client::connect(&path)).await {
            Ok(Ok(proxy)) => break proxy,
            Ok(Err(error)) => causes(&error),
            Err(_) => "it accepted the connection, but didn't greet".to_owned(),
        };
        if left.is_zero() {
            return Err(Refusal::NoProxy { service: service.to_owned(), reason });
        }
        sleep(AGAIN.min(left)).await;
    };
    proxy.ask(command).await.map_err(|error| match error {
        AskError::Refused(refusal) => Refusal::Proxy(refusal),
        other => Refusal::ProxyLost { service: service.to_owned(), reason: causes(&other) },
    })
}
