use deploy_cli::demo::load::LoadError;
use std::{error::Error, io};

/// Why something couldn't be shown. What was shown and is bad is no error but a FAIL in the table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShowError {
    /// A file, a socket or a process.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The Engine refused.
    #[error("{what} on the Engine: expected a success, but found {status}: {message}")]
    Engine {
        /// Method and path.
        what: String,
        /// The HTTP status.
        status: u16,
        /// What the Engine said.
        message: String,
    },
    /// The Engine doesn't answer as it should.
    #[error("{what} on the Engine; check that it runs and that DOCKER_HOST names its socket")]
    Answer {
        /// Method and path.
        what: String,
        /// What went wrong.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The load generator.
    #[error("send load")]
    Load(#[from] LoadError),
    /// Something took longer than any good run does.
    #[error("{what} within {seconds} s; its last lines:\n{output}")]
    Late {
        /// What.
        what: String,
        /// The limit.
        seconds: u64,
        /// What was said until then.
        output: String,
    },
    /// What must hold before anything can be shown doesn't.
    #[error("{what}: expected {expected}, but found {found}")]
    Unexpected {
        /// What was tried.
        what: String,
        /// What should have been.
        expected: String,
        /// What was instead.
        found: String,
    },
    /// A person ended it.
    #[error("go on after a signal; everything was removed")]
    Interrupted,
}

impl ShowError {
    /// Names what was tried.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// An error with what caused it, on one line.
pub fn with_sources(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", with_sources(source)),
        None => error.to_string(),
    }
}
