//! What the pods of the tests on a real cluster run, FROM scratch and as process 1: a small HTTP server.
//!
//! `app`: serves. Its environment says how; times count from its start.
//! `PORT` (8080); `VERSION`, every answer's body; `START_MS` until it listens (0); `STATUS` of its answers (200);
//! `SLEEP_MS` until it gives one (0); `EXIT_MS` until it exits with status 3 (never).
//! `GET /ready` answers with 503 for the first `READY_MS` (0), or always where `READY` is `never`, and from `FAIL_MS` on,
//! or after a `GET /fail`.
//! `ON_TERM`, upon SIGTERM: `exit` at once (the default); `drain`: accept no more, answer what comes on kept connections
//! and close them, then exit; or `ignore` it.
//!
//! `app sleep SECONDS`: for preStop hooks, where the image has no other program.

use std::{
    env, io,
    pin::pin,
    process::ExitCode,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{sleep, timeout},
};

/// How long a kept connection without a request stays open for its last one.
const LAST_REQUEST_BY: Duration = Duration::from_secs(2);
/// How long a client has to close a connection that we ended.
const CLOSED_BY: Duration = Duration::from_secs(1);
/// A request's head is shorter.
const LONGEST_HEAD: usize = 64 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {}
        ["sleep", seconds] => {
            sleep(Duration::from_secs_f64(seconds.parse().expect("a number of seconds"))).await;
            return ExitCode::SUCCESS;
        }
        _ => return ExitCode::from(2),
    }
    let app = Arc::new(App::from_env());
    let exit = async {
        match setting("EXIT_MS") {
            Some(ms) => sleep(Duration::from_millis(ms)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = exit => ExitCode::from(3),
        () = app.run() => ExitCode::SUCCESS,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum OnTerm {
    Exit,
    Drain,
    Ignore,
}

struct App {
    began: Instant,
    version: String,
    status: u16,
    wait: Duration,
    ready_after: Option<Duration>,
    fail_after: Option<Duration>,
    fails: AtomicBool,
    on_term: OnTerm,
}

fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("expected {name} to be a number, but found {text}")))
}

impl App {
    fn from_env() -> Self {
        let text = |name| env::var(name).unwrap_or_default();
        let time = |name| setting(name).map(Duration::from_millis);
        Self {
            began: Instant::now(),
            version: text("VERSION"),
            status: setting("STATUS").unwrap_or(200),
            wait: time("SLEEP_MS").unwrap_or_default(),
            ready_after: (text("READY") != "never").then(|| time("READY_MS").unwrap_or_default()),
            fail_after: time("FAIL_MS"),
            fails: AtomicBool::new(false),
            on_term: match text("ON_TERM").as_str() {
                "" | "exit" => OnTerm::Exit,
                "drain" => OnTerm::Drain,
                "ignore" => OnTerm::Ignore,
                other => panic!("expected ON_TERM to be exit, drain or ignore, but found {other}"),
            },
        }
    }

    /// Serves until it is told to end.
    async fn run(self: &Arc<Self>) {
        // process 1 doesn't receive what it has no handler for
        let mut signals = signal(SignalKind::terminate()).expect("a signal handler");
        let mut terminated = pin!(async {
            signals.recv().await;
            if self.on_term == OnTerm::Ignore {
                std::future::pending().await
            }
        });
        tokio::select! {
            () = sleep(Duration::from_millis(setting("START_MS").unwrap_or(0))) => {}
            () = &mut terminated => return,
        }
        let port = setting("PORT").unwrap_or(8080);
        let listener = TcpListener::bind(("0.0.0.0", port)).await.expect("a port that is free");
        println!("{} listens on {port}", self.version);
        let draining = watch::Sender::new(false);
        let connect = |stream| tokio::spawn(Arc::clone(self).serve(stream, draining.subscribe()));
        loop {
            tokio::select! {
                () = &mut terminated => break,
                accepted = listener.accept() => if let Ok((stream, _)) = accepted { connect(stream); },
            }
        }
        if self.on_term == OnTerm::Drain {
            // what the kernel has accepted for us would be reset
            while let Ok(Ok((stream, _))) = timeout(Duration::ZERO, listener.accept()).await {
                connect(stream);
            }
            drop(listener);
            draining.send_replace(true);
            draining.closed().await;
        }
    }

    /// Answers a connection's requests.
    async fn serve(self: Arc<Self>, mut stream: TcpStream, draining: watch::Receiver<bool>) {
        let mut unread = Vec::new();
        loop {
            let request = tokio::select! {
                request = Request::read(&mut stream, &mut unread) => request,
                () = last_request_missed(draining.clone()) => break,
            };
            let Ok(Some(request)) = request else { break };
            let status = match request.path.as_str() {
                "/ready" => self.readiness(),
                "/fail" => {
                    self.fails.store(true, Ordering::Relaxed);
                    200
                }
                _ => self.answer().await,
            };
            let is_last = request.is_last || *draining.borrow();
            if stream.write_all(self.response(status, is_last).as_bytes()).await.is_err() || is_last {
                break;
            }
        }
        // closed with something unread, it would be reset, and the answer with it
        let _ = stream.shutdown().await;
        let _ = timeout(CLOSED_BY, tokio::io::copy(&mut stream, &mut tokio::io::sink())).await;
    }

    async fn answer(&self) -> u16 {
        sleep(self.wait).await;
        self.status
    }

    fn readiness(&self) -> u16 {
        let now = self.began.elapsed();
        let is_over = |after: Option<Duration>| after.is_some_and(|after| now >= after);
        let fails = is_over(self.fail_after) || self.fails.load(Ordering::Relaxed);
        if is_over(self.ready_after) && !fails { 200 } else { 503 }
    }

    fn response(&self, status: u16, is_last: bool) -> String {
        let (length, body) = (self.version.len(), &self.version);
        let connection = if is_last { "close" } else { "keep-alive" };
        format!("HTTP/1.1 {status} \r\nContent-Length: {length}\r\nConnection: {connection}\r\n\r\n{body}")
    }
}

/// Returns when a connection on which no request comes may be closed.
async fn last_request_missed(mut draining: watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
    sleep(LAST_REQUEST_BY).await;
}

struct Request {
    path: String,
    is_last: bool,
}

impl Request {
    /// The next one, with its body thrown away; none where the client has closed. What was read lies in `unread`, so that
    /// nothing is lost with the call.
    async fn read(stream: &mut TcpStream, unread: &mut Vec<u8>) -> io::Result<Option<Self>> {
        loop {
            if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&unread[..end]).to_ascii_lowercase();
                let field = |name| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let body = field("content-length:").and_then(|length| length.parse().ok()).unwrap_or(0);
                if unread.len() >= end + 4 + body {
                    let mut words = head.lines().next().unwrap_or_default().split(' ');
                    let path = words.nth(1).unwrap_or_default().to_owned();
                    let is_last = words.next() != Some("http/1.1") || field("connection:") == Some("close");
                    unread.drain(..end + 4 + body);
                    return Ok(Some(Self { path, is_last }));
                }
            } else if unread.len() > LONGEST_HEAD {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if stream.read_buf(unread).await? == 0 {
                return Ok(None);
            }
        }
    }
}
