//! For people who write targets: a simulated target, fault injection, and the suite that every target must pass.
//!
//! - [`SimWorld`] is a simulated backend in one of two [personalities](Personality), with its
//!   [`SimTarget`], [`SimRouter`], [`SimProber`], [`SimLease`] and [`SimJournal`]. It outlives the deployers that work on
//!   it, and writes down every [`Violation`] of what a deployment promises.
//! - [`faults`] makes the calls of any target, router, lease or journal fail, hang, happen twice, or end or freeze their
//!   caller.
//! - [`loops`] runs a deployment again and again, each time with another fault.
//! - [`conformance`] is the suite that every target must pass.
//!
//! All of it runs in virtual time ([`virtual_time`]), and all that is random comes from a seed.

pub mod conformance;
mod deployer;
pub mod faults;
pub mod loops;
mod owned;
mod sim;

pub use deployer::Deployer;
pub use owned::Owned;
pub use sim::{
    Behaviour, Breach, Personality, SimJournal, SimLease, SimProber, SimRouter, SimSettings, SimTarget, SimWorld,
    Violation,
};

use std::io;

/// Runs a future to its end in virtual time: whenever nothing can go on, the clock jumps to the next timer.
///
/// # Errors
/// Where no runtime can be built.
pub fn virtual_time<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(future))
}
