//! What the Engine answered instead of doing it.

use bollard::errors::Error;
use deploy_core::target::TargetError;

/// Answers of the Engine that may be different the next time, though their status doesn't say so.
const PASSING: [&str; 7] = [
    "context deadline exceeded",
    "device or resource busy",
    "resource temporarily unavailable",
    "i/o timeout",
    "connection refused",
    "connection reset",
    "transport is closing",
];

/// The status that the Engine answered with, if it answered at all.
pub(crate) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What the Engine said, without what the client adds.
pub(crate) fn message(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        other => other.to_string(),
    }
}

/// An error of a call as a target's error. `doing` says what was tried: `start shop-web-1`.
///
/// An answer is certain, unless it says itself that it may pass; no answer is not. A container that somebody took away
/// meanwhile is missing the next time that we look, and then made anew.
pub(crate) fn target_error(doing: &str, error: Error) -> TargetError {
    let passing = |text: &str| PASSING.iter().any(|passing| text.contains(passing));
    match status(&error) {
        None if !matches!(error, Error::DockerStreamError { .. }) => {
            TargetError::unreachable("the Docker Engine", error)
        }
        Some(503) => TargetError::unreachable("the Docker Engine", error),
        Some(404) if message(&error).contains("No such container") => {
            TargetError::unreachable("a container that was there a moment ago", error)
        }
        Some(500..) if passing(&message(&error)) => TargetError::unreachable("the Docker Engine", error),
        _ => TargetError::Rejected {
            why: format!("expected to {doing}, but the Docker Engine said: {}", message(&error)),
        },
    }
}

/// Turns "it isn't there" into `None`.
pub(crate) fn if_there<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status_code: u16, message: &str) -> Error {
        Error::DockerResponseServerError { status_code, message: message.into() }
    }

    #[test]
    fn an_answer_is_certain_and_no_answer_is_not() {
        assert!(!target_error("x", answer(500, "exec: \"/nope\": no such file")).is_retryable());
        assert!(!target_error("x", answer(409, "the name is in use")).is_retryable());
        assert!(!target_error("x", answer(404, "network shop_default not found")).is_retryable());
        assert!(target_error("x", answer(404, "No such container: shop-web-1")).is_retryable());
        assert!(target_error("x", answer(503, "starting up")).is_retryable());
        assert!(target_error("x", answer(500, "rpc: context deadline exceeded")).is_retryable());
        assert!(target_error("x", Error::RequestTimeoutError).is_retryable());
    }

    #[test]
    fn the_engines_own_words_are_shown() {
        let error = target_error("start shop-web-1", answer(400, "no such command\n"));
        assert_eq!(error.to_string(), "expected to start shop-web-1, but the Docker Engine said: no such command");
    }
}
