//! What a proxy is started with.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::log::Log;
use super::timeouts::Timeouts;
use crate::control::{BadListener, ListenerSpec};

/// Everything that a proxy needs to know at its start. Routes come later, or from its state folder.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The service that it answers for: letters, digits, `.`, `_` and `-`.
    pub service: String,
    /// The folder of its state file and its socket, `SERVICE.sock`. Proxies of several services may share it.
    pub state: PathBuf,
    /// The ports to open.
    pub listeners: Vec<ListenerSpec>,
    /// How long is waited for what.
    pub timeouts: Timeouts,
    /// How long those in flight have when it is told to end by a signal: 8 s, as Docker kills after 10.
    pub grace: Duration,
    /// Where its lines go.
    pub log: Log,
}

/// Why the arguments can't be used.
#[derive(Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadArguments {
    /// An option that must be there isn't.
    #[error("expected {0}, but found none; see the usage below")]
    Missing(&'static str),
    /// An option without its value.
    #[error("expected a value after {0}, but found none; see the usage below")]
    NoValue(String),
    /// An option that isn't known.
    #[error("expected an option, but found {0:?}; see the usage below")]
    Unknown(String),
    /// A number that isn't one.
    #[error("expected milliseconds after {option}, but found {found:?}; write for example {option} 1000")]
    NotMillis {
        /// The option.
        option: String,
        /// Its value.
        found: String,
    },
    /// A listener that isn't one.
    #[error(transparent)]
    Listener(#[from] BadListener),
    /// A service name that can't be part of a file's name.
    #[error("expected a service name of letters, digits, '.', '_' and '-', but found {0:?}; rename the service")]
    Service(String),
}

impl Config {
    /// How the arguments are written.
    pub const USAGE: &str = "proxy --service NAME --state FOLDER [--listen [ADDRESS:]PORT[:BACKEND_PORT][:http|bytes|detect]]... \
        [--grace MS] [--connect-timeout MS] [--upstream-idle MS] [--client-idle MS] [--head-timeout MS] [--response-timeout MS] \
        [--hold MS]";

    /// A proxy for a service with its state in a folder, with no port open and the usual timeouts.
    #[must_use]
    pub fn new(service: impl Into<String>, state: impl Into<PathBuf>) -> Self {
        Self {
            service: service.into(),
            state: state.into(),
            listeners: Vec::new(),
            timeouts: Timeouts::default(),
            grace: Duration::from_secs(8),
            log: Log::stdout(),
        }
    }

    /// Reads the arguments that follow the role's name (see [`Config::USAGE`]).
    ///
    /// # Errors
    ///
    /// [`BadArguments`] for the first that can't be used.
    pub fn from_args(args: impl IntoIterator<Item = String>) -> Result<Self, BadArguments> {
        let mut args = args.into_iter();
        let (mut service, mut state) = (None, None);
        let mut config = Self::new("", "");
        while let Some(option) = args.next() {
            let mut value = || args.next().ok_or_else(|| BadArguments::NoValue(option.clone()));
            match option.as_str() {
                "--service" => service = Some(value()?),
                "--state" => state = Some(value()?),
                "--listen" => config.listeners.push(value()?.parse()?),
                "--grace" => config.grace = millis(&option, value()?)?,
                "--connect-timeout" => config.timeouts.connect = millis(&option, value()?)?,
                "--upstream-idle" => config.timeouts.upstream_idle = millis(&option, value()?)?,
                "--client-idle" => config.timeouts.client_idle = millis(&option, value()?)?,
                "--head-timeout" => config.timeouts.head = millis(&option, value()?)?,
                "--response-timeout" => config.timeouts.response_header = Some(millis(&option, value()?)?),
                "--hold" => config.timeouts.hold = millis(&option, value()?)?,
                _ => return Err(BadArguments::Unknown(option)),
            }
        }
        config.service = service.ok_or(BadArguments::Missing("--service NAME"))?;
        config.state = state.ok_or(BadArguments::Missing("--state FOLDER"))?.into();
        config.check()?;
        Ok(config)
    }

    pub(crate) fn check(&self) -> Result<(), BadArguments> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let name = &self.service;
        if name.is_empty() || name.starts_with('.') || !name.bytes().all(allowed) {
            return Err(BadArguments::Service(name.clone()));
        }
        Ok(())
    }
}

fn millis(option: &str, found: String) -> Result<Duration, BadArguments> {
    match found.parse() {
        Ok(millis) => Ok(Duration::from_millis(millis)),
        Err(_) => Err(BadArguments::NotMillis { option: option.to_owned(), found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Config, BadArguments> {
        Config::from_args(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_understood() {
        let config =
            parse("--service web --state /s --listen 80:http --listen 81 --grace 500 --response-timeout 60000")
                .unwrap();
        assert_eq!((config.service.as_str(), config.state.to_str()), ("web", Some("/s")));
        assert_eq!(config.listeners, ["80:http".parse().unwrap(), "81".parse().unwrap()]);
        assert_eq!(config.grace, Duration::from_millis(500));
        assert_eq!(config.timeouts.response_header, Some(Duration::from_secs(60)));
    }

    #[test]
    fn arguments_that_are_not_understood_are_named() {
        assert_eq!(parse("--state /s").unwrap_err(), BadArguments::Missing("--service NAME"));
        assert_eq!(parse("--service web").unwrap_err(), BadArguments::Missing("--state FOLDER"));
        assert_eq!(parse("--service web --state").unwrap_err(), BadArguments::NoValue("--state".into()));
        assert_eq!(parse("--servce web").unwrap_err(), BadArguments::Unknown("--servce".into()));
        assert_eq!(parse("--service a/b --state /s").unwrap_err(), BadArguments::Service("a/b".into()));
        assert_eq!(
            parse("--grace 1s").unwrap_err(),
            BadArguments::NotMillis { option: "--grace".into(), found: "1s".into() }
        );
        assert!(matches!(parse("--listen x").unwrap_err(), BadArguments::Listener(_)));
    }
}
