//! Clients: some keep their connection, some take a new one for each request; half of them send what mustn't be repeated.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// What clients saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// How many answers of each version.
    pub(crate) versions: BTreeMap<String, u64>,
    /// What went wrong, by description.
    pub(crate) lost: BTreeMap<String, u64>,
    /// The longest time between two good answers.
    pub(crate) gap: Duration,
    last: Option<Instant>,
}

impl Seen {
    fn note(&mut self, answer: io::Result<String>) {
        match answer {
            Ok(version) => {
                *self.versions.entry(version).or_default() += 1;
                let now = Instant::now();
                self.gap = self.gap.max(self.last.map_or(Duration::ZERO, |last| now - last));
                self.last = Some(now);
            }
            Err(error) => *self.lost.entry(error.to_string()).or_default() += 1,
        }
    }
}

/// Clients that send requests until they are told to stop.
pub(crate) struct Load {
    seen: Arc<Mutex<Seen>>,
    stop: CancellationToken,
    clients: JoinSet<()>,
}

impl Load {
    /// Four clients, about 400 requests/s.
    pub(crate) fn start(port: u16) -> Self {
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), CancellationToken::new());
        let mut clients = JoinSet::new();
        for (keeps, method) in [(true, "GET"), (false, "GET"), (true, "POST"), (false, "POST")] {
            let (seen, stop) = (Arc::clone(&seen), stop.clone());
            clients.spawn(async move {
                let mut connection = None;
                while !stop.is_cancelled() {
                    let answer = timeout(Duration::from_secs(20), request(&mut connection, port, keeps, method)).await;
                    let answer = answer.unwrap_or_else(|_| Err(io::Error::other("no answer within 20 s")));
                    seen.lock().unwrap_or_else(PoisonError::into_inner).note(answer);
                    sleep(Duration::from_millis(10)).await;
                }
            });
        }
        Self { seen, stop, clients }
    }

    /// What was seen until now.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends, and yields what was seen; an error where a request was lost.
    pub(crate) async fn lost_none(self) -> Result<Seen, String> {
        self.stop.cancel();
        self.clients.join_all().await;
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match seen.lost.is_empty() && !seen.versions.is_empty() {
            true => Ok(seen),
            false => Err(format!("expected no request to be lost, but found {seen:?}")),
        }
    }
}

/// One request, which may not be sent twice if it is a POST; its connection is taken from the slot, and put back if it is kept.
pub(crate) async fn request(
    slot: &mut Option<BufReader<TcpStream>>,
    port: u16,
    keeps: bool,
    method: &str,
) -> io::Result<String> {
    let mut connection = match slot.take() {
        Some(kept) => kept,
        None => BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?),
    };
    let how = if keeps { "keep-alive" } else { "close" };
    let body = if method == "POST" { "content-length: 4\r\n\r\nbody" } else { "\r\n" };
    let head = format!("{method} / HTTP/1.1\r\nhost: localhost\r\nconnection: {how}\r\n{body}");
    connection.get_mut().write_all(head.as_bytes()).await?;
    let (mut line, mut length, mut closes) = (String::new(), 0, false);
    connection.read_line(&mut line).await?;
    let status = line.split(' ').nth(1).unwrap_or("no").to_owned();
    loop {
        line.clear();
        if connection.read_line(&mut line).await? == 0 {
            return Err(io::Error::other("a connection that ended in the middle"));
        }
        let header = line.trim_end().to_ascii_lowercase();
        match header.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap_or(0),
            Some(("connection", value)) => closes = value == "close",
            _ if header.is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await?;
    if status != "200" {
        return Err(io::Error::other(format!("status {status}")));
    }
    if keeps && !closes {
        *slot = Some(connection);
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}
