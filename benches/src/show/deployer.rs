//! The `deploy` executable as a process.

use super::ShowError;
use deploy_core::{
    journal::Record,
    model::{End, Event, Op, Plan, StepId},
    observer::{Notice, Progress},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};

/// A run of the `deploy` executable, as a process of its own, that is read while it works.
#[derive(Debug)]
pub struct Deployer {
    child: Child,
    pid: Pid,
    began: Instant,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: JoinHandle<String>,
    heard: Vec<Heard>,
}

/// One line of its output.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When it was read, from the process's start.
    pub at: Duration,
    /// What it says.
    pub said: Said,
}

/// What a line of its output says.
#[derive(Clone, Debug)]
pub enum Said {
    /// The engine's output.
    Notice(Box<Notice>),
    /// Anything else.
    Other(String),
}

/// A deployer that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// How long it ran.
    pub took: Duration,
    /// What it wrote to its standard output.
    pub heard: Vec<Heard>,
    /// What it wrote to its standard error.
    pub stderr: String,
}

impl Heard {
    /// The journal's record, if it is one.
    pub fn record(&self) -> Option<&Record> {
        match &self.said {
            Said::Notice(notice) => match &**notice {
                Notice::Event { record, .. } => Some(record),
                Notice::Progress(_) => None,
            },
            Said::Other(_) => None,
        }
    }

    /// Something passing, if it is that.
    pub fn progress(&self) -> Option<&Progress> {
        match &self.said {
            Said::Notice(notice) => match &**notice {
                Notice::Progress(progress) => Some(progress),
                Notice::Event { .. } => None,
            },
            Said::Other(_) => None,
        }
    }
}

impl Deployer {
    /// Starts it. Dropped, it is killed.
    ///
    /// # Errors
    /// Where there is no such executable.
    pub fn start(mut command: Command) -> Result<Self, ShowError> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let what = format!("start {}", command.as_std().get_program().display());
        let began = Instant::now();
        let mut child = command.spawn().map_err(ShowError::io(&what))?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let (Some(pid), Some(stdout), Some(mut stderr)) = (pid, child.stdout.take(), child.stderr.take()) else {
            return Err(ShowError::io(what)(std::io::ErrorKind::BrokenPipe.into()));
        };
        let stderr = tokio::spawn(async move {
            let mut text = Vec::new();
            // What was read before an error is still worth showing.
            let _ = stderr.read_to_end(&mut text).await;
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Self { child, pid, began, stdout: BufReader::new(stdout).lines(), stderr, heard: Vec::new() })
    }

    /// Its process id, as people are shown it.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// The next line; none once it has ended.
    ///
    /// # Errors
    /// Where it can't be read.
    pub async fn next(&mut self) -> Result<Option<Heard>, ShowError> {
        let line = self.stdout.next_line().await.map_err(ShowError::io("read the deployer's output"))?;
        let Some(line) = line else { return Ok(None) };
        let said = match serde_json::from_str::<Notice>(&line) {
            Ok(notice) => Said::Notice(Box::new(notice)),
            Err(_) => Said::Other(line),
        };
        let heard = Heard { at: self.began.elapsed(), said };
        self.heard.push(heard.clone());
        Ok(Some(heard))
    }

    /// Reads on until such a line has come. Whether it came.
    ///
    /// # Errors
    /// Where it can't be read, or nothing of the kind comes within `limit`.
    pub async fn until(&mut self, limit: Duration, mut is_it: impl FnMut(&Heard) -> bool) -> Result<bool, ShowError> {
        let reading = async {
            while let Some(heard) = self.next().await? {
                if is_it(&heard) {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        match timeout(limit, reading).await {
            Ok(read) => read,
            Err(_) => Err(self.late("read what the deployer was expected to say", limit)),
        }
    }

    /// Kills it at once, as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// Where it can't be waited for.
    pub async fn kill(self) -> Result<Ended, ShowError> {
        self.signal(Signal::KILL)?;
        self.finish(Duration::from_secs(10)).await
    }

    /// Freezes it.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn freeze(&self) -> Result<(), ShowError> {
        self.signal(Signal::STOP)
    }

    /// Wakes it up.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn wake(&self) -> Result<(), ShowError> {
        self.signal(Signal::CONT)
    }

    /// One that has ended but wasn't waited for takes signals too, without effect, so that none can hit another process.
    fn signal(&self, signal: Signal) -> Result<(), ShowError> {
        kill_process(self.pid, signal).map_err(|errno| ShowError::io("signal the deployer")(errno.into()))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Where that doesn't come within `limit`; then it is killed.
    pub async fn finish(mut self, limit: Duration) -> Result<Ended, ShowError> {
        let finishing = async {
            while self.next().await?.is_some() {}
            self.child.wait().await.map_err(ShowError::io("wait for the deployer"))
        };
        let status = match timeout(limit, finishing).await {
            Ok(status) => status?,
            Err(_) => return Err(self.late("see the deployer end", limit)),
        };
        let took = self.began.elapsed();
        let stderr = (&mut self.stderr).await.unwrap_or_default();
        Ok(Ended { status, took, heard: self.heard, stderr })
    }

    fn late(&self, what: &str, limit: Duration) -> ShowError {
        let last = self.heard.iter().rev().take(5).rev().map(|heard| format!("{:?} {:?}\n", heard.at, heard.said));
        ShowError::Late { what: what.into(), seconds: limit.as_secs(), output: last.collect() }
    }
}

impl Ended {
    /// The exit status; 128 and the signal's number after a signal, as shells say it.
    pub fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or_default())
    }

    /// The journal's records, with the time since the process's start.
    pub fn records(&self) -> impl Iterator<Item = (Duration, &Record)> {
        self.heard.iter().filter_map(|heard| Some((heard.at, heard.record()?)))
    }

    /// Whether its deployment was given up before anything had changed.
    pub fn is_cancelled(&self) -> bool {
        let end = self.records().last().map(|(_, record)| &record.event);
        matches!(end, Some(Event::Ended(End::Cancelled { .. })))
    }

    /// The number of the last record that it wrote; 0 of none.
    pub fn last_seq(&self) -> u64 {
        self.records().last().map_or(0, |(_, record)| record.seq)
    }

    /// The plan that it made, and the way back where it took that.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.records().filter_map(|(_, record)| match &record.event {
            Event::Planned { plan } | Event::Unwinding { plan, .. } => Some(&**plan),
            _ => None,
        })
    }

    /// A step's op.
    pub fn op(&self, id: &StepId) -> Option<&Op> {
        self.plans().find_map(|plan| plan.step(id)).map(|step| &step.op)
    }

    /// Why it failed, in its own words: the last error, or the end of its standard error.
    pub fn said(&self) -> String {
        let objects = self.heard.iter().rev().filter_map(|heard| match &heard.said {
            Said::Other(line) => serde_json::from_str::<Value>(line).ok(),
            Said::Notice(_) => None,
        });
        let message = objects.map(|object| match object["message"].as_str() {
            Some(message) => message.to_owned(),
            None => object["finish"].to_string(),
        });
        let words = message.into_iter().next().unwrap_or_default();
        format!("{words} {}", self.stderr.trim()).trim().to_owned()
    }
}
