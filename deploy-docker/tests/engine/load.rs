//! Requests to a published port beside what a test does, and what answered them.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long anything may take that a test waits for.
pub(crate) const LONG: Duration = Duration::from_secs(120);
/// A request without an answer by then is lost.
const ANSWER_BY: Duration = Duration::from_secs(20);

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// How many answers of each version.
    pub(crate) versions: BTreeMap<String, u64>,
    /// What went wrong, by description.
    pub(crate) lost: BTreeMap<String, u64>,
}

/// Clients that ask until they are told to end.
pub(crate) struct Load {
    seen: Arc<Mutex<Seen>>,
    end: CancellationToken,
    clients: JoinSet<()>,
}

impl Load {
    /// Four clients, about 200 requests/s: two keep their connection, two take a new one for each request.
    pub(crate) fn start(port: u16) -> Self {
        let (seen, end, mut clients) = (Arc::<Mutex<Seen>>::default(), CancellationToken::new(), JoinSet::new());
        for keeps in [true, false, true, false] {
            let (seen, end) = (Arc::clone(&seen), end.clone());
            clients.spawn(async move {
                let mut kept = None;
                while !end.is_cancelled() {
                    let answer = timeout(ANSWER_BY, ask(&mut kept, port, keeps)).await;
                    let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                    {
                        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                        let count = match answer {
                            Ok(version) => seen.versions.entry(version).or_default(),
                            Err(error) => seen.lost.entry(error.to_string()).or_default(),
                        };
                        *count += 1;
                    }
                    sleep(Duration::from_millis(20)).await;
                }
            });
        }
        Self { seen, end, clients }
    }

    /// What was seen until now.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends, and yields what was seen.
    pub(crate) async fn end(self) -> Seen {
        self.end.cancel();
        self.clients.join_all().await;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends; fails where a request was lost.
    pub(crate) async fn lost_none(self) -> Seen {
        let seen = self.end().await;
        assert!(seen.lost.is_empty() && !seen.versions.is_empty(), "{seen:?}");
        seen
    }
}

/// One request; its connection is taken from the slot, and put back where it is kept.
async fn ask(slot: &mut Option<TcpStream>, port: u16, keeps: bool) -> io::Result<String> {
    let mut stream = match slot.take() {
        Some(kept) => kept,
        None => TcpStream::connect(("127.0.0.1", port)).await?,
    };
    let how = if keeps { "keep-alive" } else { "close" };
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: {how}\r\n\r\n").as_bytes()).await?;
    let (head, body) = answer(&mut stream).await?;
    if !head.starts_with("http/1.1 200") {
        return Err(io::Error::other(format!("{}: {body}", head.lines().next().unwrap_or_default())));
    }
    if keeps && !head.contains("connection: close") {
        *slot = Some(stream);
    }
    Ok(body)
}

/// An answer's head, in small letters, and its body.
pub(crate) async fn answer(stream: &mut TcpStream) -> io::Result<(String, String)> {
    let (mut read, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&read);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Ok((head, body.to_owned()));
            }
        }
        match stream.read(&mut piece).await? {
            0 => return Err(io::Error::other(format!("it ended after {} bytes", read.len()))),
            count => read.extend_from_slice(&piece[..count]),
        }
    }
}
