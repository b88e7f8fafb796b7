//! Images: present, pulled, built, or made of our own executable.

mod archive;
mod build;
mod builder;
mod credentials;
mod facts;
mod ignore;
mod own;
mod platform;
mod pull;
mod query;
mod recipe;
mod reference;

pub(crate) use build::{BuildJob, build};
pub(crate) use builder::Builder;
pub(crate) use facts::{ImageFacts, inspect, inspect_for};
pub(crate) use own::{EXECUTABLE, import_program, own_image, program_image};
pub(crate) use platform::Platform;
pub(crate) use pull::pull;
use recipe::Recipe;
pub(crate) use reference::{Reference, version};
