use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};
use std::{fmt, fs, str::FromStr};

/// The annotation on a lease that tells which process took it.
pub(super) const PROCESS: &str = "deploy-rs.github.io/process";

/// One process of one machine, told apart from others that get its number later. Where the system has no `/proc`, none is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// The machine, its boot, and the PID namespace: elsewhere the number is another process's. Copies of a virtual machine
    /// share all but the first.
    place: String,
    pid: i32,
    /// In ticks since the boot.
    started: u64,
}

impl Process {
    /// This one.
    pub(super) fn own() -> Option<Self> {
        let system = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok();
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
        let place =
            format!("{} {} {}", system("hostname")?.trim(), system("random/boot_id")?.trim(), namespace.display());
        let pid = i32::try_from(std::process::id()).ok()?;
        let stat = Stat::read("self")?;
        // a `/proc` of another PID namespace tells nothing about this one
        (stat.pid == pid).then_some(Self { place, pid, started: stat.started })
    }

    /// Whether it is certain that the process has ended, as `here` can tell.
    pub(super) fn has_ended(&self, here: &Self) -> bool {
        let Some(pid) = Pid::from_raw(self.pid) else { return false };
        // `/proc` may hide others' processes; a signal tells
        let is_gone = || test_kill_process(pid) == Err(Errno::SRCH);
        let is_another = |stat: Stat| stat.is_over || stat.started != self.started;
        self.place == here.place && (is_gone() || Stat::read(&self.pid.to_string()).is_some_and(is_another))
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.place, self.pid, self.started)
    }
}

impl FromStr for Process {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut fields = text.rsplitn(3, ' ');
        let started = fields.next().and_then(|field| field.parse().ok()).ok_or(())?;
        let pid = fields.next().and_then(|field| field.parse().ok()).filter(|pid| *pid > 0).ok_or(())?;
        Ok(Self { place: fields.next().ok_or(())?.into(), pid, started })
    }
}

/// What `/proc` tells of a process.
struct Stat {
    pid: i32,
    started: u64,
    /// It has ended, and its parent hasn't asked how.
    is_over: bool,
}

impl Stat {
    fn read(process: &str) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let pid = stat.split(' ').next()?.parse().ok()?;
        // the name before may hold anything, parentheses too
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let is_over = matches!(fields.next()?, "Z" | "X");
        // the first of these was field 3 of the line, the start is field 22
        let started = fields.nth(18)?.parse().ok()?;
        Some(Self { pid, started, is_over })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_has_ended() {
        let own = Process::own().unwrap();
        assert!(!own.has_ended(&own));
        let earlier = Process { started: own.started - 1, ..own.clone() };
        assert!(earlier.has_ended(&own), "its number went to another");
        let elsewhere = Process { place: "elsewhere".into(), ..earlier };
        assert!(!elsewhere.has_ended(&own));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id().to_string();
        let stat = Stat::read(&pid).unwrap();
        let short = Process { pid: stat.pid, started: stat.started, ..own.clone() };
        child.wait().unwrap();
        assert!(short.has_ended(&own));
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let own = Process::own().unwrap();
        assert_eq!(own.to_string().parse(), Ok(own));
        for text in ["", "1 2", "here 1", "here -1 2", "here one 2"] {
            assert_eq!(text.parse::<Process>(), Err(()), "{text}");
        }
    }
}
