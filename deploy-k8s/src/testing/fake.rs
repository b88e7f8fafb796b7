//! What a real API server won't do on command: a small one that answers as it is told, a connection each.

use super::run;
use crate::api::Api;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::Instant,
};

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With what is asked about it.
    pub(crate) path: String,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

/// What comes back.
pub(crate) enum Say {
    /// An answer.
    Json(u16, Value),
    /// An answer with one more header.
    With(u16, &'static str, Value),
    /// A watch's events; then nothing happens any more.
    Watch(Vec<Value>),
    /// The same, but the connection is cut within the next event.
    Torn(Vec<Value>),
    /// The connection ends without an answer.
    Nothing,
}

/// Runs a test against such a server, and tells which requests came.
pub(crate) fn answered_by(
    mut say: impl FnMut(&Asked) -> Say + Send + 'static,
    test: impl AsyncFnOnce(Api),
) -> Vec<Asked> {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let api = Api::new(kube::Client::try_from(kube::Config::new(url)).unwrap(), "shop");
        let came = Arc::<Mutex<Vec<Asked>>>::default();
        let noted = Arc::clone(&came);
        let server = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let Some(asked) = asked(&mut stream).await else { continue };
                noted.lock().unwrap().push(asked.clone());
                let answer = say(&asked);
                tokio::spawn(async move { write(&mut stream, answer).await });
            }
        });
        test(api).await;
        server.abort();
        std::mem::take(&mut *came.lock().unwrap())
    })
}

/// None where somebody left before asking.
async fn asked(stream: &mut TcpStream) -> Option<Asked> {
    let mut stream = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first).await.ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        } else if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let mut words = first.split(' ').map(str::to_owned);
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Some(Asked { method: words.next()?, path: words.next()?, body, at: Instant::now() })
}

async fn write(stream: &mut TcpStream, say: Say) {
    let json = "content-type: application/json\r\nconnection: close";
    let text = match say {
        Say::Json(status, body) => whole(status, json, &body),
        Say::With(status, header, body) => whole(status, &format!("{json}\r\n{header}"), &body),
        Say::Watch(events) => {
            let _ = stream.write_all(watch(json, &events).as_bytes()).await;
            return std::future::pending().await;
        }
        Say::Torn(events) => format!(r#"{}{{"type":"MODIFIED","obj"#, watch(json, &events)),
        Say::Nothing => return,
    };
    // whoever asked may be gone
    let _ = stream.write_all(text.as_bytes()).await;
}

fn whole(status: u16, head: &str, body: &Value) -> String {
    let body = body.to_string();
    format!("HTTP/1.1 {status} x\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn watch(head: &str, events: &[Value]) -> String {
    let events: String = events.iter().map(|event| format!("{event}\n")).collect();
    format!("HTTP/1.1 200 x\r\n{head}\r\n\r\n{events}")
}

/// What a server says that refuses.
pub(crate) fn refusal(code: u16, reason: &str) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": format!("no: {reason}") })
}

/// A list of objects of a kind, at a version.
pub(crate) fn list(kind: &str, version: &str, items: &[Value]) -> Value {
    json!({ "kind": format!("{kind}List"), "apiVersion": "v1", "metadata": { "resourceVersion": version }, "items": items })
}
