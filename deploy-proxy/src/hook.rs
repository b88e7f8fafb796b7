//! How an executable becomes the proxy or the agent.

use std::error::Error;
use std::process::ExitCode;

use crate::agent::{self, AgentArgs};
use crate::proxy::{self, Config};

/// The first argument that makes an executable take a role of ours.
const ROLES: &str = "deploy-proxy";

/// Call this first in `main`. Where the program was started as `PROGRAM deploy-proxy proxy …` or
/// `PROGRAM deploy-proxy agent …`, it becomes the proxy or the agent and ends with it: exit status 0 after a good end,
/// 1 where it couldn't start, 2 where its arguments make no sense. Otherwise this returns at once.
///
/// So one executable is all that a host needs: the deployer copies itself into an image and starts it in this role.
///
/// ```
/// deploy_proxy::hook();
/// // The program's own work.
/// ```
pub fn hook() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() != Some(ROLES) {
        return;
    }
    let (role, rest) = (args.next(), args.collect());
    // A thread of its own, because `main` may run inside a runtime already.
    let ended = std::thread::spawn(move || take_role(role.as_deref(), rest)).join();
    let status = match ended {
        Ok(Ok(())) => 0,
        Ok(Err(failure)) => {
            eprintln!("{}", failure.message);
            failure.status
        }
        Err(_) => 1,
    };
    std::process::exit(status);
}

/// The exit code and message of an executable that has no work of its own beside its roles.
#[must_use]
pub fn no_role() -> ExitCode {
    eprintln!("expected {ROLES} and a role, but found none\n{}", usage());
    ExitCode::from(2)
}

struct Failure {
    status: i32,
    message: String,
}

fn take_role(role: Option<&str>, args: Vec<String>) -> Result<(), Failure> {
    let misused = |problem: String| Failure { status: 2, message: format!("{problem}\n{}", usage()) };
    let failed = |error: &dyn Error| Failure { status: 1, message: explain(error) };
    match role {
        Some("proxy") => {
            let config = Config::from_args(args).map_err(|bad| misused(bad.to_string()))?;
            proxy::run(config).map_err(|error| failed(&error))
        }
        Some("agent") => {
            let args = AgentArgs::from_args(args).map_err(|bad| misused(bad.to_string()))?;
            agent::run(args).map_err(|error| failed(&error))
        }
        other => Err(misused(format!("expected a role, but found {:?}", other.unwrap_or_default()))),
    }
}

fn usage() -> String {
    format!("usage: deploy-proxy {ROLES} {}\n       deploy-proxy {ROLES} {}", Config::USAGE, AgentArgs::USAGE)
}

/// An error with what caused it.
fn explain(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", explain(source)),
        None => error.to_string(),
    }
}
