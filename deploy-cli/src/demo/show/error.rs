use crate::demo::load::LoadError;
use deploy_core::target::TargetError;
use deploy_local::LocalError;
use std::io;

/// How a cluster gets the demo's image.
const OWN_IMAGE: &str =
    "push an image to where they pull from, FROM scratch with this executable at /deploy, and name it with `--image`";

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
    /// No namespace to show it in.
    #[error("expected to make a namespace of the demo's own on the cluster")]
    Namespace(#[source] TargetError),
    /// There is no Engine whose images the cluster's nodes could have.
    #[error("expected a Docker Engine whose images the cluster's nodes have; {}", OWN_IMAGE)]
    NoEngine(#[source] deploy_docker::ConnectError),
    /// The nodes can't run the image.
    #[error("expected the cluster's nodes to run image {image}, but they can't; {}", OWN_IMAGE)]
    Image {
        /// Its name.
        image: String,
        /// What the cluster says.
        #[source]
        source: TargetError,
    },
    /// The image is something else.
    #[error("expected this very command at /deploy in image {image}, but found {found}; {}", OWN_IMAGE)]
    OtherImage {
        /// Its name.
        image: String,
        /// The first line of what it says.
        found: String,
    },
    /// The cluster doesn't do what is needed.
    #[error("expected the cluster to run a pod that sends requests")]
    Cluster(#[source] TargetError),
    /// The pod that sends requests ended early, or told nothing.
    #[error("expected the pod that sends requests to tell what became of them, but it said: {said}; try again")]
    Uncounted {
        /// The last line that it logged.
        said: String,
    },
    /// The namespace may still be there.
    #[error("expected to take everything away, but something is left; `kubectl delete namespace {namespace}` does it")]
    Left {
        /// Its name.
        namespace: String,
        /// What went wrong.
        #[source]
        source: TargetError,
    },
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
