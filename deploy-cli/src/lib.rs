//! The deploy command: Compose files to a Docker host, without a lost request.

pub mod demo;
