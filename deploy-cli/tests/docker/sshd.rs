//! A server of secure shells of the test's own, and clients that know it.

use std::{
    ffi::OsString,
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const SERVER: &str = "/usr/sbin/sshd";
const CLIENT: &str = "/usr/bin/ssh";

/// Other keys, and what the server runs in place of the command for those whom it lets in.
const KEYS: [(&str, Option<&str>); 6] = [
    ("far", Some("")),
    ("stranger", None),
    ("bare", Some("exec /nowhere/docker")),
    ("old", Some("echo unknown command: docker system dial-stdio >&2; exit 1")),
    ("chatty", Some("echo Welcome; exec docker system dial-stdio")),
    ("mute", Some("true")),
];

/// Listens on a port of 127.0.0.1, and ends with this.
///
/// The hosts of the client's configuration are the names in [`KEYS`], `unreachable`, where nobody listens, and
/// `unknown`, whose host key isn't known.
pub(crate) struct Sshd {
    server: Child,
    folder: TempDir,
}

impl Sshd {
    /// None, with a message, where the programs aren't installed.
    pub(crate) fn start() -> Option<Self> {
        let installed = [SERVER, CLIENT].iter().all(|program| Path::new(program).exists());
        // without its folder a server of root's doesn't start
        if !installed || rustix::process::geteuid().is_root() && !Path::new("/run/sshd").exists() {
            eprintln!("SKIPPED: no connection over ssh, because {SERVER}, {CLIENT} or /run/sshd isn't there");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        configure(folder.path(), port);
        let mut command = Command::new(SERVER);
        command.args(["-D", "-e", "-f"]).arg(folder.path().join("sshd_config"));
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let server = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
        let mut started = Self { server, folder };
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = started.server.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "the server listens: {ended:?}, {}", started.log());
            sleep(Duration::from_millis(20));
        }
        Some(started)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// An environment in which that host's Engine is meant, and the client has the configuration.
    pub(crate) fn environment(&self, host: &str) -> Vec<(&'static str, OsString)> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs = [self.folder.path().join("bin")].into_iter().chain(std::env::split_paths(&path));
        vec![("PATH", std::env::join_paths(programs).unwrap()), ("DOCKER_HOST", format!("ssh://{host}").into())]
    }

    /// How often somebody was let in.
    pub(crate) fn logins(&self) -> usize {
        self.log().lines().filter(|line| line.starts_with("Accepted publickey")).count()
    }

    /// The ids of the client's processes that there are.
    pub(crate) fn clients(&self) -> Vec<i32> {
        let config = self.folder.path().join("config");
        let is_ours = |id: &i32| {
            let arguments = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            arguments.split(|byte| *byte == 0).any(|word| word == config.as_os_str().as_encoded_bytes())
        };
        let processes = fs::read_dir("/proc").unwrap();
        let ids = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        ids.filter(is_ours).collect()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Keys, the configurations of both sides, and a client that reads ours: it would look for the user's in the folder that
/// /etc/passwd names.
fn configure(folder: &Path, port: u16) {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut authorized = String::new();
    for (name, runs) in KEYS {
        let public = key(folder, name);
        match runs {
            Some("") => authorized.push_str(&public),
            Some(runs) => authorized.push_str(&format!("command=\"{runs}\" {public}")),
            None => {}
        }
    }
    fs::write(at("authorized_keys"), authorized).unwrap();
    fs::write(at("known_hosts"), format!("[127.0.0.1]:{port} {}", key(folder, "host"))).unwrap();
    let engine = std::env::var("DOCKER_HOST").map(|host| format!("SetEnv DOCKER_HOST={host}")).unwrap_or_default();
    let server = format!(
        "Port {port}
ListenAddress 127.0.0.1
HostKey {}
AuthorizedKeysFile {}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
{engine}
",
        at("host"),
        at("authorized_keys")
    );
    fs::write(at("sshd_config"), server).unwrap();
    let keys = KEYS.map(|(name, _)| format!("Host {name}\n  IdentityFile {}\n", at(name))).concat();
    let client = format!(
        "{keys}Host unreachable
  Port 1
Host unknown
  UserKnownHostsFile /dev/null
Host *
  HostName 127.0.0.1
  Port {port}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {}
  GlobalKnownHostsFile /dev/null
",
        at("known_hosts")
    );
    fs::write(at("config"), client).unwrap();
    fs::create_dir(at("bin")).unwrap();
    fs::write(at("bin/ssh"), format!("#!/bin/sh\nexec {CLIENT} -F {} \"$@\"\n", at("config"))).unwrap();
    fs::set_permissions(at("bin/ssh"), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Makes a pair of keys, and yields the public one.
fn key(folder: &Path, name: &str) -> String {
    let mut command = Command::new("ssh-keygen");
    let made = command.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(folder.join(name)).status();
    assert!(made.unwrap().success());
    fs::read_to_string(folder.join(name).with_extension("pub")).unwrap()
}
