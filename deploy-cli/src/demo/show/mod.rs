//! The demonstration: version 1, then 2 under load, then a 3 that is no good and is taken back.

mod cluster;
mod cluster_traffic;
mod docker;
mod error;
mod local;
mod play;
mod stage;
mod traffic;

pub use cluster::ClusterStage;
use cluster_traffic::ClusterTraffic;
pub use docker::DockerStage;
pub use error::DemoError;
pub use local::LocalStage;
pub use play::{clear_up, play};
pub use stage::{Stage, Version};
pub use traffic::Traffic;
