//! A proxy on free ports of the loopback, backends of every kind, and clients that speak raw bytes.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deploy_core::model::{DeploymentId, Fence};
use deploy_proxy::control::{Backend, Client, ListenerSpec, RouteState, Routes};
use deploy_proxy::proxy::{Config, Log, Proxy, Running};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The service's port in every test: backends have one of their own.
pub(crate) const PORT: u16 = 80;

/// What no test waits for on purpose.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A proxy for the service `web`.
pub(crate) struct Web {
    pub(crate) running: Running,
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
}

impl Web {
    pub(crate) async fn new(protocol: &str) -> Self {
        Self::with(protocol, |_| {}).await
    }

    pub(crate) async fn with(protocol: &str, change: impl FnOnce(&mut Config)) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), protocol, change).await
    }

    pub(crate) async fn in_folder(folder: TempDir, protocol: &str, change: impl FnOnce(&mut Config)) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut config = Config::new("web", folder.path());
        config.listeners.push(listener(protocol));
        config.log = {
            let lines = Arc::clone(&lines);
            Log::new(move |line| lines.lock().unwrap().push(line.to_owned()))
        };
        change(&mut config);
        let running = Proxy::start(config).await.unwrap();
        let client = Client::connect(running.socket()).await.unwrap();
        let port = running.listeners().await[0].port;
        Self { running, client, address: SocketAddr::from(([127, 0, 0, 1], port)), folder, lines }
    }

    /// Replaces the routes, whatever they are, with these backends.
    pub(crate) async fn route(&self, backends: impl IntoIterator<Item = Backend>) -> RouteState {
        let revision = self.client.routes().await.unwrap().revision;
        let routes = Routes { backends: backends.into_iter().collect(), ..Routes::default() };
        self.client.set_routes(Fence(1), revision, Some(DeploymentId(1)), routes).await.unwrap()
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(self.address).await
    }

    pub(crate) async fn in_flight(&self, instance: &str) -> u64 {
        let stats = self.client.stats().await.unwrap();
        stats.backends.iter().filter(|backend| backend.instance.0 == instance).map(|backend| backend.in_flight).sum()
    }
}

pub(crate) fn listener(protocol: &str) -> ListenerSpec {
    format!("127.0.0.1:0:{PORT}:{protocol}").parse().unwrap()
}

/// A backend of weight 1 at an address.
pub(crate) fn backend(name: &str, address: SocketAddr) -> Backend {
    Backend {
        instance: name.into(),
        release: name.into(),
        host: address.ip().to_string(),
        ports: BTreeMap::from([(PORT, address.port())]),
        weight: 1,
    }
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Waits until something holds; fails the test when it doesn't in a long time.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let end = tokio::time::Instant::now() + LONG;
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "not in {LONG:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A server that hands each connection to a function. Its port is closed when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) accepted: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn new<F, Fut>(serve: F) -> Self
    where
        F: Fn(Wire) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let accepted = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = socket.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(Wire::new(stream)));
            }
        });
        Self { address, accepted, task }
    }

    /// Answers every request with its name, after a time.
    pub(crate) async fn named(name: &'static str, after: Duration) -> Self {
        Self::new(move |mut wire| async move {
            while wire.head().await.is_some() {
                tokio::time::sleep(after).await;
                if !wire.try_send(&ok(name)).await {
                    return;
                }
            }
        })
        .await
    }

    /// Answers every request with the head that it got.
    pub(crate) async fn echo() -> Self {
        Self::new(|mut wire| async move {
            while let Some(head) = wire.head().await {
                wire.send(&ok(&head)).await;
            }
        })
        .await
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer with a body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A connection with what was read from it and not used yet.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// False where the other side is gone.
    pub(crate) async fn try_send(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).await.is_ok()
    }

    async fn more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read =
            tokio::time::timeout(LONG, self.stream.read(&mut buffer)).await.expect("something within a long time");
        let Ok(count) = read else { return false };
        self.read.extend_from_slice(&buffer[..count]);
        count > 0
    }

    /// The next bytes up to and including a text, or `None` where the connection ends first.
    pub(crate) async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            let found = self.read.windows(end.len()).position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let rest = self.read.split_off(at + end.len());
                return Some(String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// A request's or an answer's head.
    pub(crate) async fn head(&mut self) -> Option<String> {
        self.until("\r\n\r\n").await
    }

    pub(crate) async fn exactly(&mut self, count: usize) -> Option<String> {
        while self.read.len() < count {
            if !self.more().await {
                return None;
            }
        }
        let rest = self.read.split_off(count);
        Some(String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap())
    }

    /// One answer: its status and body, or `None` where the connection ends first.
    pub(crate) async fn answer(&mut self) -> Option<(u16, String)> {
        let head = self.head().await?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = |line: &str| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok();
        if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            let mut body = String::new();
            loop {
                let size = self.until("\r\n").await?;
                let size = usize::from_str_radix(size.trim(), 16).ok()?;
                let chunk = self.exactly(size + 2).await?;
                body.push_str(&chunk[..size]);
                if size == 0 {
                    return Some((status, body));
                }
            }
        }
        let body = self.exactly(head.lines().find_map(length).unwrap_or(0)).await?;
        Some((status, body))
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, request: &str) -> Option<(u16, String)> {
        if !self.try_send(request).await {
            return None;
        }
        self.answer().await
    }

    /// `GET` of a path.
    pub(crate) async fn get(&mut self, path: &str) -> Option<(u16, String)> {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: web\r\n\r\n")).await
    }

    /// Everything until the connection ends.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }
}
