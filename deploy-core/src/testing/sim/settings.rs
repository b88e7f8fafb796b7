use crate::model::Millis;

/// What kind of backend is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personality {
    /// Like containers on an Engine: no controller, routes are acknowledged, requests in flight are counted, calls that
    /// create and stop know no conditions and work instance by instance.
    Host,
    /// Like a cluster: a controller of its own creates, replaces in place and scales; routes settle unseen, nothing is
    /// counted, writes are conditional, and the counts belong to somebody else.
    Cluster,
}

/// The constants of a [`SimWorld`](super::SimWorld).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimSettings {
    /// What kind of backend.
    pub personality: Personality,
    /// All that is random comes from here.
    pub seed: u64,
    /// The longest that a call takes before its effect, and again after it.
    pub latency: Millis,
    /// How long a request takes: an instance that had traffic has requests in flight for so long.
    pub request: Millis,
    /// In a cluster: how long old instances may get requests after a route was changed.
    pub settle: Millis,
    /// In a cluster: how long the controller takes to see what is asked for.
    pub controller: Millis,
    /// How long a lease holds.
    pub lease: Millis,
    /// Whether it is noticed that a lease's holder is gone; otherwise its lease must expire.
    pub notices_death: bool,
}

impl SimSettings {
    /// Like containers on an Engine.
    pub fn host() -> Self {
        Self {
            personality: Personality::Host,
            seed: 0,
            latency: Millis(4),
            request: Millis(200),
            settle: Millis::ZERO,
            controller: Millis::ZERO,
            lease: Millis::from_secs(15),
            notices_death: false,
        }
    }

    /// Like a cluster.
    pub fn cluster() -> Self {
        Self {
            personality: Personality::Cluster,
            settle: Millis::from_secs(5),
            controller: Millis(150),
            ..Self::host()
        }
    }

    /// The same with another seed.
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }
}
