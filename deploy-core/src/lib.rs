//! Deployment primitives: the model, the traits and the durable engine that runs plans.
//!
//! A [`Strategy`](strategy::Strategy) turns what is wanted and what is there into a [`Plan`](model::Plan): immutable, serialisable data that
//! can be read, with its way back, before anything runs. The [`Engine`](engine::Engine) runs a plan on a
//! [`Target`](target::Target), and writes each step to a [`Journal`](journal::Journal) before it has an effect, so that another process can
//! carry on after this one was killed.
//!
//! This crate names no backend. Targets live in crates of their own; the feature `testing` has a simulated one, and the suite that
//! every target must pass.

pub mod engine;
pub mod health;
pub mod journal;
pub mod lease;
pub mod model;
pub mod observer;
pub mod prober;
pub mod rollback;
pub mod router;
pub mod strategy;
pub mod target;
#[cfg(feature = "testing")]
pub mod testing;
