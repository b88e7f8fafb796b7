//! Compose files of the kind that people publish, planned and deployed by the real executable on the Docker Engine. The
//! images are stand-ins that have the real ones' ports, volumes and health checks. Without an Engine the tests say so and
//! pass.

#![expect(clippy::unwrap_used, reason = "a test may end where it can't go on")]

mod deployments;
mod plans;
mod project;
mod stand_in;
