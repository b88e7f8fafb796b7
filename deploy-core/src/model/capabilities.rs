use serde::{Deserialize, Serialize};

/// What a target can do that not every target can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// It replaces instances in place by a controller of its own: [`Op::Replace`](super::Op::Replace).
    pub replaces: bool,
    /// It owns the count of existing sets: [`Count::Leave`](super::Count::Leave) is the only one allowed there.
    pub owns_counts: bool,
}
