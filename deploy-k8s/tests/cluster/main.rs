//! Tests on a real cluster; without one they say so and pass.

#![expect(clippy::unwrap_used, reason = "a test may end where it can't go on")]

mod baseline;
mod broken;
mod conformance;
mod costs;
mod counting;
mod deployer;
mod deployments;
mod disturbances;
mod gate;
mod ground;
mod kills;
mod load;
mod objects;
mod scaling;
mod site;
mod stage;
mod wall_time;
mod web;
mod wide;
mod workloads;
