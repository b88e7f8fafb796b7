//! Deploys Compose files on a Docker Engine.

mod adoption;
mod agent;
mod api;
mod condition;
mod connect;
mod container;
mod create;
mod definition;
mod down;
mod element;
mod error;
mod foundations;
mod handle;
mod image;
mod images;
mod labels;
mod names;
mod objects;
mod paths;
mod prepare;
mod prober;
mod program;
mod project;
mod proxy_image;
mod router;
mod routes;
mod service;
mod shared;
mod target;
mod treatment;

pub use connect::{ConnectError, ConnectOptions};
pub use create::FileError;
pub use definition::DefinitionError;
pub use element::Element;
pub use prepare::{PrepareError, Prepared, Progress, Tell};
pub use project::{DockerHost, DockerProject, OpenOptions};
