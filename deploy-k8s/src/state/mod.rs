//! What outlives a deployer, kept in the namespace: who may deploy, what happened, and what releases are made of.

mod clock;
mod head;
mod held;
mod journal;
mod journals;
mod key;
mod lease;
mod parts;
mod process;
mod secret;
mod store;

pub(crate) use held::Held;
pub(crate) use journal::KubeJournal;
pub(crate) use key::Key;
pub(crate) use lease::{KubeLease, TTL};
pub(crate) use store::{Known, Store};

/// How often a write is tried again that somebody else's came before.
const TRIES: usize = 4;

#[cfg(test)]
mod tests;
