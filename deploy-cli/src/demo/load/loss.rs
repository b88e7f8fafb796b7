//! The ways a request is lost.

use std::{error::Error, fmt, io, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a request has no good answer. As text (and in JSON) `connect-refused`, `status-503` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum Loss {
    /// The host's name has no address.
    Resolve,
    /// Nothing listens there.
    ConnectRefused,
    /// The connection was reset while it was made.
    ConnectReset,
    /// The time for the request was over before there was a connection.
    ConnectTimeout,
    /// No route, no permission and the like.
    ConnectFailed,
    /// The generator itself ran out of descriptors or ports: no fault of the service.
    Local,
    /// The connection was reset after the request was sent.
    Reset,
    /// The connection was closed in good order, but without an answer.
    ClosedBeforeAnswer,
    /// The time for the request was over before its answer was complete.
    AnswerTimeout,
    /// What came back isn't HTTP.
    Malformed,
    /// The answer ended early.
    ShortBody,
    /// The answer belongs to another request, see [`Exchange::Echo`](super::Exchange::Echo).
    WrongBody,
    /// An answer with this status, 400 or above. (A router that has lost a route answers 404.)
    Status(u16),
    /// Not sent: too many requests were waiting for their answers, see
    /// [`max_outstanding`](super::LoadConfig::max_outstanding).
    Overrun,
}

/// A text that names no [`Loss`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("read a kind of loss: expected one like `connect-refused` or `status-503`, but found `{0}`; correct it")]
pub struct UnknownLoss(String);

const NAMES: [(Loss, &str); 13] = [
    (Loss::Resolve, "resolve"),
    (Loss::ConnectRefused, "connect-refused"),
    (Loss::ConnectReset, "connect-reset"),
    (Loss::ConnectTimeout, "connect-timeout"),
    (Loss::ConnectFailed, "connect-failed"),
    (Loss::Local, "local"),
    (Loss::Reset, "reset"),
    (Loss::ClosedBeforeAnswer, "closed-before-answer"),
    (Loss::AnswerTimeout, "answer-timeout"),
    (Loss::Malformed, "malformed"),
    (Loss::ShortBody, "short-body"),
    (Loss::WrongBody, "wrong-body"),
    (Loss::Overrun, "overrun"),
];

/// `ENFILE` and `EMFILE`, which have no [`io::ErrorKind`] and are the same numbers on every Unix.
const TOO_MANY_OPEN_FILES: [i32; 2] = [23, 24];

impl Loss {
    pub(super) fn of_connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::ConnectRefused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Self::ConnectReset,
            // The system's own limit on unanswered attempts.
            io::ErrorKind::TimedOut => Self::ConnectTimeout,
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => Self::Local,
            _ if error.raw_os_error().is_some_and(|code| TOO_MANY_OPEN_FILES.contains(&code)) => Self::Local,
            _ => Self::ConnectFailed,
        }
    }

    /// Of a request that was sent.
    pub(super) fn of_answer(error: &hyper::Error) -> Self {
        let system = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        if error.is_parse() {
            Self::Malformed
        } else if system.is_some_and(|system| system.kind() != io::ErrorKind::UnexpectedEof) {
            Self::Reset
        } else {
            Self::ClosedBeforeAnswer
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, NAMES.iter().find(|(loss, _)| loss == self)) {
            (Self::Status(status), _) => write!(f, "status-{status}"),
            (_, Some((_, name))) => f.write_str(name),
            (_, None) => write!(f, "{self:?}"),
        }
    }
}

impl FromStr for Loss {
    type Err = UnknownLoss;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = NAMES.iter().find(|(_, name)| *name == text).map(|(loss, _)| *loss);
        let status = || text.strip_prefix("status-")?.parse().ok().map(Self::Status);
        named.or_else(status).ok_or_else(|| UnknownLoss(text.to_owned()))
    }
}

impl From<Loss> for String {
    fn from(loss: Loss) -> Self {
        loss.to_string()
    }
}

impl TryFrom<String> for Loss {
    type Error = UnknownLoss;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_loss_is_a_key_in_json_and_comes_back() {
        let lost: BTreeMap<Loss, u64> =
            NAMES.iter().map(|(loss, _)| *loss).chain([Loss::Status(503), Loss::Status(404)]).zip(1..).collect();
        let json = serde_json::to_string(&lost).unwrap();
        assert!(json.contains(r#""connect-refused":2"#) && json.contains(r#""status-503":14"#), "{json}");
        assert_eq!(serde_json::from_str::<BTreeMap<Loss, u64>>(&json).unwrap(), lost);
        assert_eq!("status-x".parse::<Loss>(), Err(UnknownLoss("status-x".to_owned())));
    }

    #[test]
    fn what_the_generator_lacks_is_not_the_services_fault() {
        assert_eq!(Loss::of_connect(&io::Error::from_raw_os_error(24)), Loss::Local);
        assert_eq!(Loss::of_connect(&io::ErrorKind::ConnectionRefused.into()), Loss::ConnectRefused);
        assert_eq!(Loss::of_connect(&io::ErrorKind::HostUnreachable.into()), Loss::ConnectFailed);
    }
}
