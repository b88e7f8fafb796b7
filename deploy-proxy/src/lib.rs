//! The data plane for hosts that have none, and the agent that holds lease, journal and routes beside it.
