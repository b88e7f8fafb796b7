//! What a rerun, a person or a deployer that hangs must not break, in the simulated world.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod after;
mod awaited;
mod doubt;
mod ends;
mod hangs;
mod hold;
mod plans;
mod site;
