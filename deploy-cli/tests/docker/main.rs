//! Deployments of a Compose file on the Docker Engine, as people give the commands. Without an Engine they say so and
//! pass.

#![expect(clippy::unwrap_used, reason = "a test may end where it can't go on")]

mod deployments;
mod interrupts;
mod shop;
mod ssh;
mod sshd;
mod versions;
