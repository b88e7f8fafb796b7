use super::{DemoError, Traffic};
use crate::{CommandError, Place, args::StrategyName};
use async_trait::async_trait;
use deploy_core::{engine::Request, model::Millis};
use std::net::{Ipv4Addr, TcpListener};

/// How many instances the service has.
pub(super) const INSTANCES: u32 = 2;
/// The service's name.
pub(super) const SERVICE: &str = "web";
/// How long somebody else's deployment is waited for before everything is taken away.
pub(super) const LEASE_WAIT: Millis = Millis::from_secs(30);

/// A version of the demo's service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// What it calls itself.
    pub name: &'static str,
    /// What goes wrong with it, as `APP_FAIL` has it; empty: nothing.
    pub fault: &'static str,
    /// What goes wrong with it, for people.
    pub told: &'static str,
    /// How long it is watched before the old one leaves.
    pub bake: Millis,
}

impl Version {
    /// The three that are shown.
    pub const ALL: [Self; 3] = [
        Self { name: "v1", fault: "", told: "", bake: Millis::ZERO },
        Self { name: "v2", fault: "", told: "", bake: Millis::from_secs(2) },
        // healthy for long enough to get all the traffic
        Self {
            name: "v3",
            fault: "unhealthy-after:3000",
            told: "which gets sick 3 s after its start, when it has all the requests",
            bake: Millis::from_secs(8),
        },
    ];

    /// The application's environment: some milliseconds to start, some for each request, as real ones need.
    pub(super) fn environment(&self) -> [(&'static str, &'static str); 4] {
        [("APP_VERSION", self.name), ("APP_FAIL", self.fault), ("APP_START_DELAY_MS", "200"), ("APP_LATENCY_MS", "5")]
    }
}

/// Where the demonstration takes place.
#[async_trait]
pub trait Stage: Send + Sync {
    /// Where it is, and whom clients ask, for people: `the Docker Engine at …; clients ask …`.
    fn told(&self) -> String;

    /// What the engine works on.
    fn place(&self) -> &Place;

    /// The versions that are shown here.
    fn versions(&self) -> [Version; 3] {
        Version::ALL
    }

    /// How they come unless it is said.
    fn strategy(&self) -> StrategyName {
        StrategyName::default()
    }

    /// Why requests may be lost by a strategy; none where no request may.
    fn excuse(&self, strategy: StrategyName) -> Option<&'static str> {
        (strategy == StrategyName::Recreate).then_some("recreate has a gap")
    }

    /// What the engine is asked for so that a version runs.
    async fn request(&self, version: Version) -> Result<Request, CommandError>;

    /// Begins to send so many requests a second.
    async fn load(&self, rate: u32) -> Result<Box<dyn Traffic>, DemoError>;

    /// Takes everything away, whatever has become of it.
    async fn clear(&self) -> Result<(), CommandError>;
}

/// A port of this machine that nobody listens on just now.
pub(super) fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
