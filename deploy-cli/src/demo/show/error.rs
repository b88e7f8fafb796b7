use crate::demo::load::LoadError;
use deploy_core::target::TargetError;
use deploy_local::LocalError;
use std::io;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// No port, no folder, no executable.
    #[error("expected a free port, a temporary folder and this program's own executable, but the system refused one")]
    System(#[from] io::Error),
    /// Child processes can't be run here.
    #[error("expected to run child processes")]
    Local(#[from] LocalError),
    /// The Engine doesn't do what is needed.
    #[error("expected the Docker Engine to take this program as an image; try `--target local`")]
    Docker(#[from] TargetError),
    /// The load would be sent to this machine.
    #[error(
        "expected a Docker Engine on this machine, where the demo's port is reached, but found one at {address}; run it there, or try `--target local`"
    )]
    Elsewhere {
        /// The Engine.
        address: String,
    },
    /// No load can be generated.
    #[error("expected to generate load")]
    Load(#[from] LoadError),
}
