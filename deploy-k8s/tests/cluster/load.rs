//! Requests to a node's port beside what a test does, and what answered them.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

/// How many requests a second, unless a test says otherwise.
const RATE: u32 = 300;
/// A request without an answer by then is lost.
const ANSWER_BY: Duration = Duration::from_secs(3);
/// How many connections are kept, so that every pod has some.
const KEPT: usize = 16;
/// How many losses are told in full.
const TOLD: usize = 5;

/// On what connections requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connections {
    /// A new one for each.
    New,
    /// Kept ones, in turn.
    Kept,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    /// When the first losses were noticed, from the start, and what they were.
    pub(crate) losses: Vec<(Duration, String)>,
    /// How many answers of each version.
    pub(crate) versions: BTreeMap<String, u64>,
    /// The longest time without an answer.
    pub(crate) longest_gap: Duration,
    /// How late a request was sent at most: a gap that isn't longer than this says nothing.
    pub(crate) lateness: Duration,
    last_answer: Duration,
}

impl Seen {
    fn add(&mut self, now: Duration, answer: io::Result<String>) {
        match answer {
            Ok(version) => {
                *self.versions.entry(version).or_default() += 1;
                self.end_gap(now);
            }
            Err(error) => {
                self.lost += 1;
                if self.losses.len() < TOLD {
                    self.losses.push((now, error.to_string()));
                }
            }
        }
    }

    fn end_gap(&mut self, now: Duration) {
        self.longest_gap = self.longest_gap.max(now.saturating_sub(self.last_answer));
        self.last_answer = now;
    }
}

/// Requests at a fixed rate, whether the earlier ones were answered or not, from a thread of their own.
pub(crate) struct Load {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    port: u16,
    connections: Connections,
    rate: u32,
    ends: AtomicBool,
    seen: Mutex<Seen>,
    idle: Mutex<VecDeque<TcpStream>>,
}

impl Load {
    pub(crate) fn start(port: u16, connections: Connections) -> Self {
        Self::at(RATE, port, connections)
    }

    /// The same with so many a second.
    pub(crate) fn at(rate: u32, port: u16, connections: Connections) -> Self {
        let (ends, seen, idle) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { port, connections, rate, ends, seen, idle });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let sender = Arc::clone(&shared);
        let thread = std::thread::spawn(move || runtime.block_on(sender.send()));
        Self { shared, thread: Some(thread) }
    }

    /// What was seen until now.
    pub(crate) fn seen(&self) -> Seen {
        locked(&self.shared.seen).clone()
    }

    /// Sends no more, and yields what was seen once all was answered.
    pub(crate) async fn end(mut self) -> Seen {
        self.shared.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            tokio::task::spawn_blocking(|| thread.join()).await.unwrap().unwrap();
        }
        self.seen()
    }

    /// Ends; fails where a request was lost.
    pub(crate) async fn lost_none(self) -> Seen {
        let seen = self.end().await;
        assert!(seen.lost == 0 && seen.sent > 0, "{seen:?}");
        seen
    }
}

impl Drop for Load {
    /// A test that failed sends no more either.
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    async fn send(self: Arc<Self>) {
        let began = Instant::now();
        let mut requests = JoinSet::new();
        let mut due = began;
        while !self.ends.load(Ordering::Relaxed) {
            sleep_until(due).await;
            {
                let mut seen = locked(&self.seen);
                seen.sent += 1;
                seen.lateness = seen.lateness.max(due.elapsed());
            }
            let this = Arc::clone(&self);
            requests.spawn(async move {
                let answer = timeout(ANSWER_BY, this.ask()).await.unwrap_or_else(|late| Err(late.into()));
                locked(&this.seen).add(began.elapsed(), answer);
            });
            while requests.try_join_next().is_some() {}
            due += Duration::from_secs(1) / self.rate;
        }
        let ended = began.elapsed();
        requests.join_all().await;
        locked(&self.seen).end_gap(ended);
    }

    /// One request.
    async fn ask(&self) -> io::Result<String> {
        if self.connections == Connections::New {
            return ask(self.port).await;
        }
        let mut stream = match self.idle() {
            Some(stream) => stream,
            None => connect(self.port).await?,
        };
        let (head, body) = exchange(&mut stream, "keep-alive").await?;
        if !head.contains("connection: close") {
            locked(&self.idle).push_back(stream);
        }
        Ok(body)
    }

    /// The kept connection that was idle longest; none until there are enough of them. Those that were closed are left out.
    fn idle(&self) -> Option<TcpStream> {
        let mut idle = locked(&self.idle);
        while idle.len() >= KEPT {
            let stream = idle.pop_front()?;
            let is_open = stream.try_read(&mut [0]).is_err_and(|nothing| nothing.kind() == io::ErrorKind::WouldBlock);
            if is_open {
                return Some(stream);
            }
        }
        None
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body of one answer, on a connection of its own. A node may lead it to nobody for ever.
pub(crate) async fn ask(port: u16) -> io::Result<String> {
    let asked = async { exchange(&mut connect(port).await?, "close").await };
    let (_, body) = timeout(ANSWER_BY, asked).await??;
    Ok(body)
}

async fn connect(port: u16) -> io::Result<TcpStream> {
    TcpStream::connect(("127.0.0.1", port)).await
}

/// Sends a request, and yields its answer's head, in small letters, and body.
async fn exchange(stream: &mut TcpStream, how: &str) -> io::Result<(String, String)> {
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: {how}\r\n\r\n").as_bytes()).await?;
    let (head, body) = answer(stream).await?;
    if head.starts_with("http/1.1 200") {
        Ok((head, body))
    } else {
        Err(io::Error::other(format!("{}: {body}", head.lines().next().unwrap_or_default())))
    }
}

async fn answer(stream: &mut TcpStream) -> io::Result<(String, String)> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Ok((head, body.to_owned()));
            }
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Err(io::Error::other(format!("it ended after {} bytes", read.len())));
        }
    }
}
