//! What is deployed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;

/// How many instances are asked for.
pub const REPLICAS: u32 = 4;
/// How long an instance takes to start, in milliseconds.
pub const START_MS: u32 = 500;
/// How long an instance takes for a request, in milliseconds.
pub const LATENCY_MS: u32 = 20;

/// A recipe for a service that is child processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalRecipe {
    /// What is deployed.
    pub recipe: Recipe,
    /// For which project.
    pub project: String,
    /// The `deploy` executable.
    pub executable: PathBuf,
    /// Where requests go.
    pub port: u16,
}

/// One version of the service that is deployed, and how it is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// What the application calls itself, and its image's tag.
    pub version: String,
    /// `APP_FAIL` of the demo's application: what goes wrong.
    pub fault: Option<String>,
    /// `restart:`, where it isn't `no`.
    pub restart: Option<String>,
    /// How many instances a rolling update replaces at a time; all at once where it is absent.
    pub batch: Option<u32>,
    /// A further port of this machine to publish.
    pub further_port: Option<u16>,
    /// Where the image comes from.
    pub image: Image,
}

/// Where an image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Image {
    /// It is there.
    There,
    /// It is nowhere.
    Missing,
    /// `deploy up` builds it: it copies the executable and a file with the version, the least that a new version needs.
    Built,
}

impl Recipe {
    /// A version that works.
    pub fn good(version: impl Into<String>) -> Self {
        Self {
            version: version.into(),
            fault: None,
            restart: None,
            batch: None,
            further_port: None,
            image: Image::There,
        }
    }

    /// A version in which this goes wrong.
    pub fn broken(version: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { fault: Some(fault.into()), ..Self::good(version) }
    }

    /// With an image that `deploy up` builds.
    pub fn built(mut self) -> Self {
        self.image = Image::Built;
        self
    }

    /// With so many instances at a time.
    pub fn in_batches_of(mut self, batch: Option<u32>) -> Self {
        self.batch = batch;
        self
    }

    /// The instances' environment.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("APP_VERSION", self.version.clone()),
            ("APP_START_DELAY_MS", START_MS.to_string()),
            ("APP_LATENCY_MS", LATENCY_MS.to_string()),
        ];
        variables.extend(self.fault.clone().map(|fault| ("APP_FAIL", fault)));
        variables
    }

    /// A Compose file as people write them, with the service behind `port` of this machine. (JSON is YAML too.)
    pub fn compose(&self, project: &str, image: &str, port: u16) -> Value {
        let ports = [Some(port), self.further_port].into_iter().flatten();
        let ports: Vec<_> = ports.map(|port| format!("127.0.0.1:{port}:8080")).collect();
        let environment: serde_json::Map<_, _> =
            self.environment().into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        let mut deploy = json!({ "replicas": REPLICAS });
        if let Some(batch) = self.batch {
            deploy["update_config"] = json!({ "parallelism": batch });
        }
        let mut file = json!({
            "name": project,
            "services": {
                "web": {
                    "image": image,
                    "command": ["demo-app"],
                    "environment": environment,
                    "ports": ports,
                    "restart": self.restart.as_deref().unwrap_or("no"),
                    "stop_grace_period": "10s",
                    "healthcheck": {
                        "test": ["CMD", "/deploy", "demo-app", "--healthcheck"],
                        "interval": "30s",
                        "timeout": "5s",
                        "retries": 3,
                    },
                    "deploy": deploy,
                },
            },
        });
        if self.image == Image::Built {
            let dockerfile = "FROM scratch\nCOPY deploy version /\nENTRYPOINT [\"/deploy\"]\n";
            file["services"]["web"]["build"] = json!({ "context": ".", "dockerfile_inline": dockerfile });
        }
        file
    }
}
