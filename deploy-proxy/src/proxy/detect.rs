//! Telling HTTP/1 from everything else by the first bytes of a connection.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::backend::Backend;
use super::serving::Serving;
use super::upstream::connect;

/// How much is looked at: enough for a request line's verb and the beginning of its path.
const LOOKED_AT: usize = 256;

/// How soon a silent client without a backend gets one, once there is one.
const AGAIN: Duration = Duration::from_millis(500);

/// What a connection carries.
#[derive(Debug)]
pub(crate) enum Carries {
    Http,
    /// Anything else; with the backend that spoke first, where one did.
    Bytes(Option<(TcpStream, Arc<Backend>)>),
    /// Nothing: the client left.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looks {
    Http,
    Bytes,
    /// Could become either.
    Unclear,
}

/// What bytes at the beginning of a connection look like. HTTP/1 is a verb in capitals, a space and a path (or `*`), and
/// where the line's end is in sight, a version. A request with a whole URL or a `CONNECT` is meant for a forward proxy,
/// and passes as bytes.
fn looks(bytes: &[u8]) -> Looks {
    let verb = bytes.iter().take_while(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_')).count();
    if verb > 32 || (verb == 0 && !bytes.is_empty()) {
        return Looks::Bytes;
    }
    match &bytes[verb..] {
        [] | [b' '] => Looks::Unclear,
        [b' ', b'/' | b'*', rest @ ..] if &bytes[..verb] != b"PRI" => match rest.iter().position(|byte| *byte == b'\n')
        {
            Some(end) if !is_version(&rest[..end]) => Looks::Bytes,
            _ => Looks::Http,
        },
        _ => Looks::Bytes,
    }
}

fn is_version(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0")
}

/// Finds out what a connection carries, without taking anything from it.
///
/// A client that is silent for a moment may wait for the server to speak first, or may be a browser that has connected
/// ahead of its first request. So a backend is connected too, and whoever speaks first decides.
pub(crate) async fn detect(client: &TcpStream, serving: &Serving, backend_port: u16) -> Carries {
    if let Ok(carries) = timeout(serving.timeouts().silence, first_bytes(client)).await {
        return carries;
    }
    loop {
        let Some((instance, backend)) = listen_to_one(serving, backend_port).await else {
            // There may be one later.
            match timeout(AGAIN, first_bytes(client)).await {
                Ok(carries) => return carries,
                Err(_) => continue,
            }
        };
        let carries = tokio::select! {
            carries = first_bytes(client) => carries,
            speaks = speaks(&instance) => {
                if speaks {
                    Carries::Bytes(None)
                } else {
                    // It gave up waiting, as servers of protocols do in which the client speaks first.
                    return first_bytes(client).await;
                }
            }
            () = backend.closed() => continue,
        };
        return match carries {
            Carries::Bytes(_) => Carries::Bytes(Some((instance, backend))),
            other => other,
        };
    }
}

/// Connects to a backend without counting: nothing is in flight to it yet.
async fn listen_to_one(serving: &Serving, backend_port: u16) -> Option<(TcpStream, Arc<Backend>)> {
    let backend = serving.table().next().cloned().filter(|backend| backend.receives() && !backend.rests())?;
    let connected = connect(&backend.address(backend_port), serving.timeouts().connect).await;
    backend.connected(connected.is_ok());
    Some((connected.ok()?, backend))
}

async fn speaks(instance: &TcpStream) -> bool {
    matches!(instance.peek(&mut [0; 1]).await, Ok(1..))
}

/// Waits for the client to speak, and a moment longer while it could become either.
async fn first_bytes(client: &TcpStream) -> Carries {
    let mut bytes = [0; LOOKED_AT];
    let mut until: Option<Instant> = None;
    loop {
        let peeked = match until {
            None => client.peek(&mut bytes).await,
            Some(until) => match timeout_at(until, client.peek(&mut bytes)).await {
                Ok(peeked) => peeked,
                Err(_) => return Carries::Bytes(None),
            },
        };
        let Ok(count @ 1..) = peeked else { return Carries::Nothing };
        match looks(&bytes[..count]) {
            Looks::Http => return Carries::Http,
            Looks::Bytes => return Carries::Bytes(None),
            Looks::Unclear => {
                let now = Instant::now();
                let until = *until.get_or_insert(now + Duration::from_millis(100));
                if now >= until {
                    return Carries::Bytes(None);
                }
                // What was looked at is still there, so looking again wouldn't wait.
                sleep(Duration::from_millis(2)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell() {
        for (bytes, expected) in [
            ("GET / HTTP/1.1\r\n", Looks::Http),
            ("GET /a", Looks::Http),
            ("PROPFIND /dav HTTP/1.1\r\nHost", Looks::Http),
            ("M-SEARCH * HTTP/1.1\r\n", Looks::Http),
            ("OPTIONS * HTTP/1.0\r\n", Looks::Http),
            ("", Looks::Unclear),
            ("G", Looks::Unclear),
            ("DELETE ", Looks::Unclear),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Looks::Bytes),
            ("\u{16}\u{3}\u{1}", Looks::Bytes),
            ("PING\r\n", Looks::Bytes),
            ("*1\r\n$4\r\nPING\r\n", Looks::Bytes),
            ("get key\r\n", Looks::Bytes),
            ("CONNECT {\"verbose\":false}\r\n", Looks::Bytes),
            ("CONNECT example.org:443 HTTP/1.1\r\n", Looks::Bytes),
            ("GET http://example.org/ HTTP/1.1\r\n", Looks::Bytes),
            ("DESCRIBE rtsp://a/ RTSP/1.0\r\n", Looks::Bytes),
            ("OPTIONS * RTSP/1.0\r\n", Looks::Bytes),
            ("GET /\r\n", Looks::Bytes),
            ("SSH-2.0-x\r\n", Looks::Bytes),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Looks::Bytes),
        ] {
            assert_eq!(looks(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }
}
