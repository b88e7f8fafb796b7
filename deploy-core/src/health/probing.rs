use super::{Health, HealthCheck};
use crate::{
    model::{Instance, Millis},
    prober::{Answer, Probe, ProbeError, Prober},
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

const fn default_timeout() -> Millis {
    Millis::from_secs(5)
}

const fn success() -> (u16, u16) {
    (200, 399)
}

/// `http`: a GET is answered with a status in a range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCheck {
    /// The instance's port.
    pub port: u16,
    /// The path with its query.
    pub path: String,
    /// The Host header; absent: the instance's address.
    #[serde(default)]
    pub host: Option<String>,
    /// The lowest and the highest good status; 200 to 399 by default.
    #[serde(default = "success")]
    pub status: (u16, u16),
    /// How long one look may take; 5 s by default.
    #[serde(default = "default_timeout")]
    pub timeout: Millis,
}

/// `tcp`: the port accepts a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpCheck {
    /// The instance's port.
    pub port: u16,
    /// How long one look may take; 5 s by default.
    #[serde(default = "default_timeout")]
    pub timeout: Millis,
}

/// `command`: a command inside the instance ends with 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandCheck {
    /// The executable and its arguments.
    pub argv: Vec<String>,
    /// How long one look may take; 5 s by default.
    #[serde(default = "default_timeout")]
    pub timeout: Millis,
}

/// `own`: the test that the instance itself carries passes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnCheck {
    /// How long one look may take; 30 s by default, as for a container's own test.
    #[serde(default = "OwnCheck::timeout")]
    pub timeout: Millis,
}

impl OwnCheck {
    const fn timeout() -> Millis {
        Millis::from_secs(30)
    }
}

/// `running`: it runs, which says little; give it a minimum healthy time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunningCheck {}

#[async_trait]
impl HealthCheck for HttpCheck {
    async fn check(&self, instance: &Instance, ask: &dyn Prober) -> Health {
        let probe = Probe::Http { port: self.port, path: self.path.clone(), host: self.host.clone() };
        match ask.probe(instance, &probe, self.timeout).await {
            Ok(Answer::Http { status, .. }) if (self.status.0..=self.status.1).contains(&status) => Health::Healthy,
            Ok(Answer::Http { status, body }) => Health::Waiting(format!("{} answered {status}: {body}", self.path)),
            other => verdict(other),
        }
    }
}

#[async_trait]
impl HealthCheck for TcpCheck {
    async fn check(&self, instance: &Instance, ask: &dyn Prober) -> Health {
        verdict(ask.probe(instance, &Probe::Tcp { port: self.port }, self.timeout).await)
    }
}

#[async_trait]
impl HealthCheck for CommandCheck {
    async fn check(&self, instance: &Instance, ask: &dyn Prober) -> Health {
        verdict(ask.probe(instance, &Probe::Command { argv: self.argv.clone() }, self.timeout).await)
    }
}

#[async_trait]
impl HealthCheck for OwnCheck {
    async fn check(&self, instance: &Instance, ask: &dyn Prober) -> Health {
        verdict(ask.probe(instance, &Probe::Own, self.timeout).await)
    }
}

#[async_trait]
impl HealthCheck for RunningCheck {
    async fn check(&self, _: &Instance, _: &dyn Prober) -> Health {
        Health::Healthy
    }
}

fn verdict(answer: Result<Answer, ProbeError>) -> Health {
    match answer {
        Ok(Answer::Success) => Health::Healthy,
        Ok(Answer::Failure { why }) => Health::Waiting(why),
        Ok(Answer::NoSuchTest) => Health::Unhealthy("it carries no test of its own; name another check".into()),
        Ok(Answer::Http { status, .. }) => Health::Waiting(format!("it answered {status}")),
        Err(error) => Health::CannotTell(error.to_string()),
    }
}
