use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a target can do that not every target can, and what may be done with its objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// It replaces instances in place by a controller of its own: [`Op::Replace`](super::Op::Replace).
    pub replaces: bool,
    /// It owns the count of existing sets: [`Count::Leave`](super::Count::Leave) is the only one allowed there.
    pub owns_counts: bool,
    /// The kinds of objects through which the requests of a routed service come, and which have its names and ports
    /// meanwhile: `proxy`. They are deleted before the service is reached directly.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub fronts: BTreeSet<String>,
    /// The kinds of objects in which nothing of value lies: `network`, never `volume`. They are deleted once nothing that is
    /// known stands on them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub disposable: BTreeSet<String>,
    /// The kinds of objects that stay as they were made: `network`, `volume`. One that is there is never asked for with
    /// another definition, and a plan's services stand on it as it is.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub fixed: BTreeSet<String>,
    /// The kinds of objects that take their time to come true once they are applied, and who waits for that. The others have
    /// come true when they are there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub awaited: BTreeMap<String, Awaited>,
}

/// Who waits until an object has come true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Awaited {
    /// The objects that are applied after it, too: they may be in it, or of a kind that it defines.
    ByObjects,
    /// The services that stand on it.
    ByServices,
}
