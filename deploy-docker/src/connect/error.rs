use super::{SshError, context::Endpoint};
use bollard::errors::Error;
use std::{error::Error as _, io, path::PathBuf};

/// Why no Engine could be spoken to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody listens at the address.
    #[error(
        "expected a Docker Engine at {address} ({named_by}), but found none: is it running, and is the address right?"
    )]
    NotThere {
        /// The address.
        address: String,
        /// Who named it.
        named_by: String,
        /// What went wrong.
        #[source]
        source: Error,
    },
    /// The socket may not be used.
    #[error(
        "expected to be allowed to use the Docker Engine at {address}, but was refused: join the group `docker`, or run as root"
    )]
    Denied {
        /// The address.
        address: String,
        /// What went wrong.
        #[source]
        source: Error,
    },
    /// It took the connection, and then didn't answer.
    #[error(
        "expected an answer from the Docker Engine at {address} within {seconds} s, but found none: is it overloaded?"
    )]
    Silent {
        /// The address.
        address: String,
        /// How long we waited.
        seconds: u64,
    },
    /// It answered something else.
    #[error("expected a Docker Engine at {address}, but found something that doesn't answer like one")]
    NotUnderstood {
        /// The address.
        address: String,
        /// What went wrong.
        #[source]
        source: Error,
    },
    /// It is too old.
    #[error(
        "expected Engine API 1.41 or newer at {address}, but found {found:?}: upgrade to Docker Engine 20.10 or newer"
    )]
    TooOld {
        /// The address.
        address: String,
        /// Its API version.
        found: String,
    },
    /// It can't be reached over ssh.
    #[error("expected a Docker Engine at {address} ({named_by}), but couldn't reach it")]
    Ssh {
        /// The address.
        address: String,
        /// Who named it.
        named_by: String,
        /// What went wrong.
        #[source]
        source: SshError,
    },
    /// An address for ssh that can't be used. It isn't told: there may be a password in it.
    #[error(
        "expected ssh://[user@]host[:port][/path/of/the/socket] as the Engine's address, but found {found} ({named_by})"
    )]
    SshAddress {
        /// What is wrong with it.
        found: &'static str,
        /// Who named it.
        named_by: String,
    },
    /// No address that we understand.
    #[error(
        "expected unix:///path, ssh://host or tcp://host:port as the Engine's address, but found {address:?} ({named_by})"
    )]
    Address {
        /// The address.
        address: String,
        /// Who named it.
        named_by: String,
    },
    /// No such context.
    #[error(
        "expected the Docker context {context}, named by {named_by}, but found none of that name; `docker context ls` lists them"
    )]
    NoContext {
        /// Its name.
        context: String,
        /// Who named it.
        named_by: String,
    },
    /// A file of the `docker` command can't be read.
    #[error("expected to read {}: make it readable, or name another folder by DOCKER_CONFIG", path.display())]
    ConfigUnreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A file of the `docker` command makes no sense.
    #[error("expected the JSON of the docker command in {}: mend the file, or name another folder by DOCKER_CONFIG", path.display())]
    ConfigInvalid {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl ConnectError {
    pub(super) fn from_engine(endpoint: &Endpoint, source: Error) -> Self {
        let (address, named_by) = (endpoint.url.clone(), endpoint.source.clone());
        if let Error::IOError { err } = &source
            && let Some(source) = SshError::in_chain(err).cloned()
        {
            return Self::Ssh { address, named_by, source };
        }
        let kind = io_kind(&source);
        match (&source, kind) {
            (_, Some(io::ErrorKind::PermissionDenied)) => Self::Denied { address, source },
            (Error::SocketNotFoundError(_), _) | (_, Some(_)) => Self::NotThere { address, named_by, source },
            _ => Self::NotUnderstood { address, source },
        }
    }
}

/// The kind of the I/O error at the bottom of it, if there is one.
fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    if let Error::HyperLegacyError { err } = error {
        next = err.source();
    }
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        next = error.source();
    }
    None
}
