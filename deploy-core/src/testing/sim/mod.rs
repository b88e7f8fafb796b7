//! A simulated backend in virtual time.

mod behaviour;
mod controller;
mod hands;
mod instance;
mod journal;
mod lease;
mod observe;
mod prober;
mod rng;
mod router;
mod settings;
mod state;
mod target;
mod traffic;
mod violation;
mod world;

pub use behaviour::Behaviour;
pub use journal::SimJournal;
pub use lease::SimLease;
pub use prober::SimProber;
pub use router::SimRouter;
pub use settings::{Personality, SimSettings};
pub use target::SimTarget;
pub use violation::{Breach, Violation};
pub use world::SimWorld;
