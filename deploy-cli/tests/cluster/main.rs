//! Deployments to a Kubernetes cluster, as people give the commands. Without a cluster they say so and pass.

#![expect(clippy::unwrap_used, reason = "a test may end where it can't go on")]

mod bad_input;
mod demo;
mod deployments;
mod ground;
mod leaving;
mod permissions;
