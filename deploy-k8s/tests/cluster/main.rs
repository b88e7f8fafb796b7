//! Tests on a real cluster; without one they say so and pass.

#![expect(clippy::unwrap_used, reason = "a test may end where it can't go on")]

mod baseline;
mod broken;
mod conformance;
mod deployments;
mod ground;
mod load;
mod objects;
mod site;
mod web;
