//! Processes that aren't our children, told apart from others that got their number later.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// One process of this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// When it was started, in ticks since the boot: another process of the same number has another one.
    pub(crate) started: u64,
}

impl Process {
    /// The process that has this number now; none where it is gone or a zombie.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // the name before may hold anything, parentheses too
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        // the first of these was field 3 of the line, the start is field 22
        let started = fields.nth(18)?.parse().ok()?;
        Some(Self { pid, started })
    }

    pub(crate) fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// A hold on the process that can't slip to another; none where it is gone.
    pub(crate) fn hold(self) -> io::Result<Option<Hold>> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(None) };
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // looked at once more, now that the number can't change hands unseen
        Ok(self.is_alive().then_some(Hold { fd, pid }))
    }

    /// The living process that carries this variable in the environment that it was started with.
    pub(crate) fn marked(variable: &str, value: &str) -> Option<Self> {
        let mark = format!("{variable}={value}");
        let carries = |pid: i32| {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
        };
        let pids = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        // its own children carry the mark too, and were started later
        pids.filter(|pid| carries(*pid)).filter_map(Self::of).min_by_key(|process| process.started)
    }
}

/// A hold on one process, which leads a group of its own.
#[derive(Debug)]
pub(crate) struct Hold {
    fd: OwnedFd,
    pid: Pid,
}

impl Hold {
    /// Asks the process and those that it started to end.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        self.signal_group(Signal::TERM)
    }

    /// Ends the process and those that it started.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.signal_group(Signal::KILL)
    }

    fn signal_group(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.fd, signal) {
            Err(rustix::io::Errno::SRCH) => return Ok(()),
            sent => sent?,
        }
        match kill_process_group(self.pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends when the process has.
    pub(crate) async fn ended(self) -> io::Result<()> {
        #[expect(deprecated, reason = "its successor is unsafe, because of types that aren't an OwnedFd")]
        let fd = AsyncFd::with_interest(self.fd, Interest::READABLE)?;
        fd.readable().await.map(|_| ())
    }

    /// As [`Self::ended`], with the hold kept.
    pub(crate) async fn wait(&self) -> io::Result<()> {
        Self { fd: self.fd.try_clone()?, pid: self.pid }.ended().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    fn cat() -> std::process::Child {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "process::tests::sleeps", "--ignored"]).env("DEPLOY_TEST_MARK", "here");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
        // Its parent goes on before the kernel has laid out its environment; what it prints comes after.
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        child
    }

    #[test]
    #[ignore = "a process for the other tests"]
    fn sleeps() {
        std::thread::sleep(Duration::from_secs(60));
    }

    #[tokio::test]
    async fn a_process_is_found_by_its_mark_and_gone_when_killed() {
        let mut child = cat();
        let pid = i32::try_from(child.id()).unwrap();
        let process = Process::of(pid).unwrap();
        assert!(process.is_alive());
        assert_eq!(Process::marked("DEPLOY_TEST_MARK", "here"), Some(process));
        assert_eq!(Process::marked("DEPLOY_TEST_MARK", "her"), None);
        let later = Process { started: process.started + 1, ..process };
        assert!(!later.is_alive() && later.hold().unwrap().is_none(), "another process of the same number");
        let hold = process.hold().unwrap().unwrap();
        hold.kill().unwrap();
        tokio::time::timeout(Duration::from_secs(20), hold.wait()).await.unwrap().unwrap();
        assert!(!process.is_alive(), "a zombie has ended");
        child.wait().unwrap();
        hold.kill().unwrap();
        assert!(process.hold().unwrap().is_none());
    }
}
