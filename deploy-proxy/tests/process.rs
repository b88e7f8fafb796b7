//! The executable: its arguments, its signals, and its sudden end.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use deploy_core::model::Fence;
use deploy_proxy::control::{Backend, Client, Routes};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

const LONG: Duration = Duration::from_secs(20);

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    client: Client,
    address: SocketAddr,
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deploy-proxy"));
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    command
}

impl Process {
    async fn start(state: &Path) -> Self {
        let state_folder = state.to_str().unwrap();
        let listen = "127.0.0.1:0:80:http";
        let mut child = command(&["deploy-proxy", "proxy", "--service", "web", "--state", state_folder])
            .args(["--listen", listen, "--grace", "10000"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // It says its routes once it serves.
        let first = tokio::time::timeout(LONG, lines.next_line()).await.unwrap().unwrap().unwrap();
        assert!(first.starts_with(r#"{"event":"routes","service":"web","#), "{first}");
        let client = Client::connect(&state.join("web.sock")).await.unwrap();
        let port = client.stats().await.unwrap().listeners[0].port;
        Self { child, lines, client, address: ([127, 0, 0, 1], port).into() }
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    async fn ends(&mut self) -> ExitStatus {
        tokio::time::timeout(LONG, self.child.wait()).await.unwrap().unwrap()
    }

    async fn route(&self, address: SocketAddr) {
        let backend = Backend {
            instance: "a".into(),
            release: "r".into(),
            host: address.ip().to_string(),
            ports: BTreeMap::from([(80, address.port())]),
            weight: 1,
        };
        let revision = self.client.routes().await.unwrap().revision;
        self.client
            .set_routes(Fence(1), revision, None, Routes { backends: vec![backend], ..Routes::default() })
            .await
            .unwrap();
    }

    async fn ask(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        stream
    }
}

async fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    tokio::time::timeout(LONG, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

/// A backend that answers one request on each connection, after a time.
async fn server(after: Duration) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = socket.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await.unwrap();
                tokio::time::sleep(after).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await.unwrap();
            });
        }
    });
    address
}

#[tokio::test]
async fn a_signal_ends_it_in_good_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::start(folder.path()).await;
        process.route(server(Duration::from_millis(300)).await).await;
        let in_flight = process.ask().await;
        while process.client.stats().await.unwrap().backends[0].in_flight == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        process.signal(signal);
        let answer = answer(in_flight).await;
        assert!(answer.ends_with("hello"), "{answer}");
        assert_eq!(process.ends().await.code(), Some(0));
        assert!(!folder.path().join("web.sock").exists());
    }
}

#[tokio::test]
async fn a_command_ends_it_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path()).await;
    process.client.shutdown(Fence(1), LONG).await.unwrap();
    assert_eq!(process.ends().await.code(), Some(0));
}

#[tokio::test]
async fn killed_and_started_again_it_serves_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path()).await;
    process.route(server(Duration::ZERO).await).await;
    let line = process.lines.next_line().await.unwrap().unwrap();
    process.signal(Signal::KILL);
    process.ends().await;

    let process = Process::start(folder.path()).await;
    let answer = answer(process.ask().await).await;
    assert!(answer.ends_with("hello"), "{answer}");
    let state = serde_json::to_string(&process.client.routes().await.unwrap()).unwrap();
    assert_eq!(line, state.replacen('{', r#"{"event":"routes","service":"web","#, 1));
}

#[tokio::test]
async fn what_it_cannot_do_is_said_with_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap().into_std().unwrap();
    let port = taken.local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}:80:http");
    for (args, status, says) in [
        (&[][..], 2, "usage: deploy-proxy deploy-proxy proxy --service"),
        (&["deploy-proxy"], 2, "expected a role"),
        (&["deploy-proxy", "dance"], 2, "found \"dance\""),
        (&["deploy-proxy", "proxy", "--state", "/x"], 2, "expected --service NAME"),
        (&["deploy-proxy", "proxy", "--service", "web", "--state", "/proc/none"], 1, "could not use the state folder"),
        (
            &["deploy-proxy", "proxy", "--service", "web", "--state", state, "--listen", &listen],
            1,
            "could not listen on 127.0.0.1",
        ),
    ] {
        let output = command(args).output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
    }
}
