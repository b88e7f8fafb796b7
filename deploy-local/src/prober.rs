use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deploy_core::model::{Instance, Millis};
use deploy_core::prober::{Answer, Probe, ProbeError, Prober};
use deploy_proxy::control::{self, Address, ProbeOutcome};
use tokio::process::Command;
use tokio::time::timeout;

use crate::instance::InstanceRecord;
use crate::payload::inherited;
use crate::shared::Shared;

/// Asks processes by way of the agent. A port in a question stands for the instance's own.
pub(crate) struct LocalProber {
    pub(crate) shared: Arc<Shared>,
}

#[async_trait]
impl Prober for LocalProber {
    async fn probe(&self, instance: &Instance, probe: &Probe, limit: Millis) -> Result<Answer, ProbeError> {
        let why = |why: String| ProbeError { why };
        let record = self.shared.instances.one(&instance.name).map_err(|refusal| why(refusal.to_string()))?;
        let record = record.ok_or_else(|| why(format!("there is no instance {}", instance.name)))?;
        if record.alive().is_none() {
            // another process may listen at its port by now
            return Ok(Answer::Failure { why: "its process has ended".into() });
        }
        let address = Address::new("127.0.0.1", record.port);
        let question = match probe {
            Probe::Own => return Ok(Answer::NoSuchTest),
            Probe::Command { argv } => return command(argv, &record, limit.duration()).await,
            Probe::Tcp { .. } => control::Probe::Tcp { address },
            Probe::Http { path, host, .. } => control::Probe::Http {
                address,
                method: "GET".into(),
                path: path.clone(),
                host: host.clone(),
                headers: Vec::new(),
                expect: (200, 399),
            },
        };
        let outcome = self.shared.agent.probe(question, limit.duration()).await;
        answer(outcome.map_err(|error| why(error.to_string()))?)
    }
}

fn answer(outcome: ProbeOutcome) -> Result<Answer, ProbeError> {
    Ok(match outcome {
        ProbeOutcome::Passed { status: None, .. } => Answer::Success,
        ProbeOutcome::Passed { status: Some(status), .. } => Answer::Http { status, body: String::new() },
        ProbeOutcome::BadStatus { status, body, .. } => Answer::Http { status, body },
        ProbeOutcome::TimedOut { connected: true } => Answer::Failure { why: "it didn't answer in time".into() },
        ProbeOutcome::TimedOut { connected: false } => {
            Answer::Failure { why: "it accepted no connection in time".into() }
        }
        ProbeOutcome::Refused { reason } | ProbeOutcome::Broken { reason } => Answer::Failure { why: reason },
        other => return Err(ProbeError { why: format!("the answer {other:?} isn't known; use a newer deploy") }),
    })
}

/// Runs a command beside the instance, with its port in `PORT`.
async fn command(argv: &[String], record: &InstanceRecord, limit: Duration) -> Result<Answer, ProbeError> {
    let Some((executable, args)) = argv.split_first() else {
        return Err(ProbeError { why: "the command is empty; name an executable".into() });
    };
    let mut command = Command::new(executable);
    command.args(args).env_clear().envs(inherited()).env("PORT", record.port.to_string());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = match timeout(limit, command.output()).await {
        Err(_) => return Ok(Answer::Failure { why: format!("{executable} didn't end in time") }),
        Ok(Err(error)) => return Err(ProbeError { why: format!("{executable} couldn't be started: {error}") }),
        Ok(Ok(output)) => output,
    };
    let said = String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    let last = said.lines().next_back().unwrap_or_default();
    Ok(match output.status.success() {
        true => Answer::Success,
        false => Answer::Failure { why: format!("{executable} ended with {}: {last}", output.status) },
    })
}
