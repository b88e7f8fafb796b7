use super::Destination;
use std::{error::Error, io, process::ExitStatus, sync::Arc};

/// Why no Engine could be reached over ssh, or no longer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SshError {
    /// There is no such program here.
    #[error("expected the program `ssh`, but found none: install the OpenSSH client, or add it to PATH")]
    NotInstalled,
    /// It couldn't be started or waited for.
    #[error("expected to run `ssh`")]
    Process(#[source] Arc<io::Error>),
    /// `ssh` itself failed: no route, no such host, an unknown host key, no key that is accepted, a broken connection.
    #[error(
        "expected a connection to {host}, but ssh ended and said {said:?}: try `{by_hand}` by hand, because here it asks neither about a host key nor for a passphrase (`ssh-add`)"
    )]
    Ssh {
        /// The host.
        host: String,
        /// Its last lines.
        said: String,
        /// The command to try.
        by_hand: String,
    },
    /// The shell on the host finds no `docker`.
    #[error(
        "expected the command `docker` on {host}, but its shell said {said:?}: install Docker there, or add it to the PATH that `ssh {host} 'echo $PATH'` shows"
    )]
    NoDocker {
        /// The host.
        host: String,
        /// Its last lines.
        said: String,
    },
    /// `docker` on the host ended.
    #[error(
        "expected `docker system dial-stdio` on {host} to speak for its Engine, but it ended ({status}) and said {said:?}: it needs Docker 18.09 or newer there, an Engine that runs, and a user who may use it (group `docker`)"
    )]
    Docker {
        /// The host.
        host: String,
        /// How it ended.
        status: ExitStatus,
        /// Its last lines.
        said: String,
    },
    /// Something else was said in place of the Engine's answer.
    #[error(
        "expected an Engine's answer from {host}, but found {found}: do the shell's start-up files there write something?"
    )]
    NotUnderstood {
        /// The host.
        host: String,
        /// How it began, or that it ended.
        found: String,
    },
    /// Nothing was said.
    #[error("expected an Engine's answer from {host} within {seconds} s, but found none: is it overloaded?")]
    Silent {
        /// The host.
        host: String,
        /// How long we waited.
        seconds: u64,
    },
}

impl SshError {
    /// Why a connection ended, where that wasn't meant. `ssh` yields the remote command's status, or 255.
    pub(super) fn ended(destination: &Destination, status: ExitStatus, said: String) -> Option<Self> {
        let host = destination.host.clone();
        let said = if said.is_empty() { status.to_string() } else { said };
        match status.code() {
            Some(0) => None,
            Some(255) | None => Some(Self::Ssh { host, said, by_hand: destination.by_hand() }),
            Some(126 | 127) => Some(Self::NoDocker { host, said }),
            Some(_) => Some(Self::Docker { host, status, said }),
        }
    }

    /// The first of ours in an error and what caused it.
    pub(in crate::connect) fn in_chain<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let of_io = |error: &'a io::Error| error.get_ref()?.downcast_ref::<Self>();
        let mut next = Some(error);
        while let Some(error) = next {
            let found = error.downcast_ref().or_else(|| of_io(error.downcast_ref()?));
            if found.is_some() {
                return found;
            }
            next = error.source();
        }
        None
    }
}

impl From<SshError> for io::Error {
    fn from(error: SshError) -> Self {
        Self::new(io::ErrorKind::NotConnected, error)
    }
}
