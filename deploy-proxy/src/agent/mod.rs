//! The agent: holds the state folder of one project (lease, journal, payloads, key) and serves one deployer over a pair
//! of byte streams, its standard input and output for most.
//!
//! In Docker it is an exec in a proxy container, with the project's state volume mounted; on one machine a child process.
//! It speaks the protocol of [`control`](crate::control): greeting, numbered questions, answers in any order. The
//! questions are [`Request`]s, among them those for a service's proxy, which it passes on to `SERVICE.sock` in the folder.
//!
//! # Whoever is stale is refused
//! Every change names a fence, and is made under a lock of the folder only while that fence is the newest and its lease
//! holds. So two agents on one folder, or one that was stopped and woken late, can't both write.
//!
//! # Nobody unlocks by hand
//! A lease ends freed (by a question), abandoned (the deployer's end of the stream closed, or the agent was killed:
//! takeable at once) or expired (nothing was heard for its time to live). Heartbeats go both ways: an agent that hears
//! nothing ends by itself, a [`Client`] that hears nothing fails what it waits for.

mod client;
mod clock;
pub mod file;
mod journal;
mod lease;
mod message;
mod payloads;
mod proxies;
mod role;
mod serve;
mod state;

pub use client::{AgentError, Client, ClientOptions};
pub use clock::boot_id;
pub use lease::{LEASE_FORMAT, Taken};
pub use message::{Answer, Key, Refusal, Request, Secret};
pub use role::{AgentArgs, AgentFailure, BadAgentArguments, run};
pub use serve::{DEFAULT_TTL, serve};
pub use state::State;
