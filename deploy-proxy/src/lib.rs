//! The data plane for hosts that have none, and the agent that holds lease, journal and routes beside it.
//!
//! - [`control`]: the messages that such a process understands, how they are framed, and a client.

pub mod control;
