//! Images: present, pulled, built, or made of our own executable.

mod archive;
mod build;
mod credentials;
mod facts;
mod ignore;
mod own;
mod pull;
mod reference;

pub(crate) use build::build;
pub(crate) use facts::{ImageFacts, inspect};
pub(crate) use own::{EXECUTABLE, own_image, program_image};
pub(crate) use pull::pull;
pub(crate) use reference::{Reference, version};
