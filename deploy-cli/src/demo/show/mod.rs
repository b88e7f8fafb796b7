//! The demonstration: version 1, then 2 under load, then a 3 that gets sick and is taken back.

mod docker;
mod error;
mod local;
mod play;
mod stage;

pub use docker::DockerStage;
pub use error::DemoError;
pub use local::LocalStage;
pub use play::play;
pub use stage::{Stage, Version};
