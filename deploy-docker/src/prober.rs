use crate::{
    container::Container,
    create::{argv, effective},
    handle::{Handle, agent_error, proxy_error},
    labels,
};
use async_trait::async_trait;
use bollard::{container::LogOutput, exec::StartExecResults, models::ExecConfig};
use deploy_core::{
    model::{Instance, Millis, ServiceName},
    prober::{Answer, Probe, ProbeError, Prober},
};
use deploy_proxy::control::{self, Address, ProbeOutcome};
use futures_util::StreamExt;
use std::collections::BTreeSet;

/// How much of a command's output is shown.
const SHOWN: usize = 512;

/// Asks instances from the proxies' networks, and by commands inside them.
#[derive(Debug)]
pub(crate) struct DockerProber {
    handle: Handle,
}

impl DockerProber {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    async fn through_a_proxy(
        &self,
        instance: &Instance,
        port: u16,
        probe: impl FnOnce(Address) -> control::Probe,
        timeout: Millis,
    ) -> Result<Answer, ProbeError> {
        let all = self.handle.containers().await.map_err(cannot)?;
        let there = all.iter().find(|one| one.name == instance.name);
        let there = there.ok_or_else(|| cannot(format!("there is no container {}", instance.name)))?;
        let probe = probe(Address::new(there.short_id(), port));
        let Some(service) = vantage(there, &all) else { return self.through_the_agent(there, probe, timeout).await };
        let proxy = self.handle.proxy(&service).await.map_err(cannot)?;
        let outcome = proxy.probe(probe, timeout.duration()).await.map_err(|error| cannot(proxy_error(error)))?;
        Ok(answer(outcome))
    }

    /// Where no proxy can be asked yet: Compose has made the network, and the service's proxy comes when its port is free.
    async fn through_the_agent(
        &self,
        there: &Container,
        probe: control::Probe,
        timeout: Millis,
    ) -> Result<Answer, ProbeError> {
        let nobody = || cannot("nobody of the project can ask in its networks; use a command or its own test");
        let network = there.networks.iter().min().ok_or_else(nobody)?;
        let agent = self.handle.agent_in(network).await.map_err(cannot)?.ok_or_else(nobody)?;
        let outcome = agent.probe(probe, timeout.duration()).await.map_err(|error| cannot(agent_error(error)))?;
        Ok(answer(outcome))
    }

    /// Runs the container's own test, at once: the Engine itself would wait for its interval.
    async fn own(&self, name: &str, timeout: Millis) -> Result<Answer, ProbeError> {
        let found = self.handle.docker().inspect_container(name, None).await;
        let config = found.map_err(|error| cannot(crate::error::message(&error)))?.config.unwrap_or_default();
        // the image's test is filled in already
        let Some(test) = effective(config.healthcheck.as_ref(), None) else { return Ok(Answer::NoSuchTest) };
        let argv = argv(&test.test.unwrap_or_default(), config.shell.as_deref());
        let argv = argv.ok_or_else(|| cannot("its test has a form that isn't known"))?;
        self.run(name, argv, timeout).await
    }

    async fn run(&self, name: &str, argv: Vec<String>, timeout: Millis) -> Result<Answer, ProbeError> {
        let run = async {
            let config = ExecConfig {
                attach_stdout: Some(true),
                attach_stderr: Some(true),
                cmd: Some(argv),
                ..Default::default()
            };
            let docker = self.handle.docker();
            let exec = docker.create_exec(name, config).await?;
            let mut shown = String::new();
            if let StartExecResults::Attached { mut output, .. } = docker.start_exec(&exec.id, None).await? {
                while let Some(frame) = output.next().await {
                    if let LogOutput::StdOut { message } | LogOutput::StdErr { message } = frame?
                        && shown.len() < SHOWN
                    {
                        shown.push_str(&String::from_utf8_lossy(&message));
                    }
                }
            }
            Ok::<_, bollard::errors::Error>((docker.inspect_exec(&exec.id).await?.exit_code, shown))
        };
        let (code, shown) = match tokio::time::timeout(timeout.duration(), run).await {
            Ok(ended) => ended.map_err(|error| cannot(crate::error::message(&error)))?,
            Err(_) => return Ok(Answer::Failure { why: format!("the test didn't end within {timeout}") }),
        };
        Ok(match code {
            Some(0) => Answer::Success,
            code => {
                let shown: String = shown.trim().chars().take(SHOWN).collect();
                let code = code.map_or_else(|| "no status".to_owned(), |code| format!("status {code}"));
                let colon = if shown.is_empty() { "" } else { ": " };
                Answer::Failure { why: format!("the test ended with {code}{colon}{shown}") }
            }
        })
    }
}

#[async_trait]
impl Prober for DockerProber {
    async fn probe(&self, instance: &Instance, probe: &Probe, timeout: Millis) -> Result<Answer, ProbeError> {
        if let Probe::Command { argv } = probe {
            return self.run(&instance.name, argv.clone(), timeout).await;
        }
        match probe {
            Probe::Tcp { port } => {
                let tcp = |address| control::Probe::Tcp { address };
                self.through_a_proxy(instance, *port, tcp, timeout).await
            }
            Probe::Http { port, path, host } => {
                let http = |address| control::Probe::Http {
                    address,
                    method: "GET".to_owned(),
                    path: path.clone(),
                    host: host.clone(),
                    headers: Vec::new(),
                    // whatever comes is the check's to judge
                    expect: (0, 0),
                };
                self.through_a_proxy(instance, *port, http, timeout).await
            }
            _ => self.own(&instance.name, timeout).await,
        }
    }
}

/// The service of a proxy that shares a network with a container, its own service's first.
fn vantage(there: &Container, all: &[Container]) -> Option<ServiceName> {
    let networks: BTreeSet<_> = there.networks.iter().collect();
    let mut proxies: Vec<_> = all
        .iter()
        .filter(|one| one.kind() == labels::PROXY && one.is_up())
        .filter(|one| one.networks.iter().any(|network| networks.contains(network)))
        .collect();
    proxies.sort_by_key(|one| one.service() != there.service());
    proxies.first().and_then(|one| one.service())
}

fn cannot(why: impl ToString) -> ProbeError {
    ProbeError { why: why.to_string() }
}

fn answer(outcome: ProbeOutcome) -> Answer {
    let failure = |why: String| Answer::Failure { why };
    match outcome {
        ProbeOutcome::Passed { status: Some(status), .. } => Answer::Http { status, body: String::new() },
        ProbeOutcome::Passed { status: None, .. } => Answer::Success,
        ProbeOutcome::BadStatus { status, body, .. } => Answer::Http { status, body },
        ProbeOutcome::Refused { reason } => failure(format!("nobody listens: {reason}")),
        ProbeOutcome::TimedOut { connected: true } => failure("connected, but no answer in time".to_owned()),
        ProbeOutcome::TimedOut { connected: false } => failure("no connection in time".to_owned()),
        ProbeOutcome::Broken { reason } => failure(format!("the connection broke: {reason}")),
        ProbeOutcome::Invalid { reason } => failure(format!("the question can't be sent: {reason}")),
        _ => failure("an answer that this version doesn't know".to_owned()),
    }
}
