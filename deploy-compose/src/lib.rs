//! The Compose Specification as a pure library: text in, a typed model with places out.
//!
//! ```no_run
//! let project = deploy_compose::Loader::new("/srv/shop").env(std::env::vars()).load()?;
//! for service in project.dependency_order() {
//!     println!("{} runs {}", service.name, service.image);
//! }
//! # Ok::<(), deploy_compose::LoadError>(())
//! ```
//!
//! A file goes through five steps, each of which reports everything it finds with file, line and column:
//!
//! 1. YAML becomes a tree of nodes with places. Anchors, `<<`, `!reset` and `!override` are resolved, and a key that
//!    stands twice is refused.
//! 2. Variables are replaced, by the caller's environment and environment files.
//! 3. Several files are laid over each other by Compose's rules.
//! 4. The tree is checked against the specification's shape, `schema/compose.json`.
//! 5. The tree is read into the model. What has no effect, mostly because Compose itself ignores it, is listed in
//!    [`model::Project::ignored`]; what the specification allows and this library doesn't understand yet is refused.
//!    Nothing is dropped in silence.
//!
//! Values of environment variables and contents of secrets are never part of a message or of `Debug`.

mod assemble;
mod config_hash;
mod cycle;
mod declared;
mod dotenv;
mod env_files;
mod environment;
mod health;
mod interpolate;
mod loader;
mod locate;
mod merge;
pub mod model;
mod node;
mod parse;
mod paths;
mod place;
mod places;
mod problem;
mod read;
mod scalar;
mod schema;
mod secrecy;
mod suggest;
mod template;
mod units;
mod words;
pub mod yaml;

pub use config_hash::ComposeConfig;
pub use environment::{EnvValue, Environment};
pub use loader::Loader;
pub use locate::project_directory;
pub use place::Place;
pub use problem::{Ignored, LoadError, Problem, Warning};
pub use units::{ByteSize, NanoCpus};
