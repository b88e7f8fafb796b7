//! The agent as a process: it serves whoever holds the other ends of its standard input and output.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{join, stdin, stdout};
use tokio::signal::unix::{SignalKind, signal};

use super::{DEFAULT_TTL, Refusal, State, serve};

/// How an agent is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentArgs {
    /// The state folder.
    pub state: PathBuf,
    /// How long a lease holds unless it is renewed, and how long the deployer may be silent.
    pub ttl: Duration,
}

/// Why the arguments can't be used.
#[derive(Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadAgentArguments {
    /// The state folder isn't told.
    #[error("expected --state FOLDER, but found none; see the usage below")]
    NoState,
    /// An option without its value, or one that isn't known.
    #[error("expected an option and its value, but found {0:?}; see the usage below")]
    Unknown(String),
    /// A number that isn't one.
    #[error("expected milliseconds, more than 0, after --ttl, but found {0:?}; write for example --ttl 15000")]
    NotMillis(String),
}

impl AgentArgs {
    /// How the arguments are written.
    pub const USAGE: &str = "agent --state FOLDER [--ttl MS]";

    /// With the default time to live.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self { state: state.into(), ttl: DEFAULT_TTL }
    }

    /// Reads the arguments that follow the role's name (see [`AgentArgs::USAGE`]).
    ///
    /// # Errors
    /// [`BadAgentArguments`] for the first that can't be used.
    pub fn from_args(args: impl IntoIterator<Item = String>) -> Result<Self, BadAgentArguments> {
        let mut args = args.into_iter();
        let (mut state, mut ttl) = (None, DEFAULT_TTL);
        while let Some(option) = args.next() {
            match (option.as_str(), args.next()) {
                ("--state", Some(folder)) => state = Some(folder),
                ("--ttl", Some(millis)) => match millis.parse() {
                    Ok(number @ 1..) => ttl = Duration::from_millis(number),
                    _ => return Err(BadAgentArguments::NotMillis(millis)),
                },
                _ => return Err(BadAgentArguments::Unknown(option)),
            }
        }
        Ok(Self { state: state.ok_or(BadAgentArguments::NoState)?.into(), ttl })
    }

    /// The arguments of an executable that calls [`hook`](crate::hook), so that it becomes this agent.
    pub fn to_args(&self) -> Vec<OsString> {
        let ttl = self.ttl.as_millis().to_string();
        let role = ["deploy-proxy", "agent", "--state"].map(OsString::from);
        role.into_iter().chain([self.state.clone().into(), "--ttl".into(), ttl.into()]).collect()
    }
}

/// Why an agent ended other than by its deployer leaving.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AgentFailure {
    /// The system gave it no thread or no signals.
    #[error("the agent couldn't be started; free some processes or memory")]
    Start(#[source] std::io::Error),
    /// The state folder can't be used.
    #[error(transparent)]
    State(#[from] Refusal),
}

/// Serves the deployer on standard input and output until it leaves, or SIGTERM comes.
///
/// # Errors
/// [`AgentFailure`].
pub fn run(args: AgentArgs) -> Result<(), AgentFailure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(AgentFailure::Start)?;
    let ended = runtime.block_on(async {
        let mut told = signal(SignalKind::terminate()).map_err(AgentFailure::Start)?;
        let state = State::open(args.state, args.ttl)?;
        let told = async { told.recv().await.is_some() };
        Ok(serve(state, join(stdin(), stdout()), told).await?)
    });
    // reading standard input can't be given up
    runtime.shutdown_background();
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<AgentArgs, BadAgentArguments> {
        AgentArgs::from_args(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_understood_both_ways() {
        let args = AgentArgs { ttl: Duration::from_millis(700), ..AgentArgs::new("/s") };
        let line = args.to_args().into_iter().map(|arg| arg.into_string().unwrap());
        assert_eq!(AgentArgs::from_args(line.skip(2)), Ok(args));
        assert_eq!(parse("--state /s"), Ok(AgentArgs::new("/s")));
    }

    #[test]
    fn arguments_that_are_not_understood_are_named() {
        assert_eq!(parse(""), Err(BadAgentArguments::NoState));
        assert_eq!(parse("--state"), Err(BadAgentArguments::Unknown("--state".into())));
        assert_eq!(parse("--stat /s"), Err(BadAgentArguments::Unknown("--stat".into())));
        for bad in ["15s", "0", "-1"] {
            assert_eq!(parse(&format!("--state /s --ttl {bad}")), Err(BadAgentArguments::NotMillis(bad.into())));
        }
    }
}
