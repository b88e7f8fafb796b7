//! What the tests on a real Engine run in containers: a small HTTP server, and our proxy and agent.
//!
//! `fixture serve`: `PORT` (8080), `START_MS` until it listens (0), `EXIT_MS` until it exits with status 3 (never),
//! `READY` a path that must be there until it answers 200. It answers every request with `VERSION`.
//! `fixture probe PORT`: exits with 0 if a GET is answered with 200.
//! `fixture get URL-HOST PORT`: prints the answer's body.
//! `fixture copy FROM TO`: copies a file.
//! `fixture fill FILE`: writes to a file until the disk is full; `fixture remove FILE` makes room again.

use std::{env, io::Write, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    time::sleep,
};

fn main() {
    deploy_proxy::hook();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let args: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = args.iter().map(String::as_str).collect();
    let status = runtime.block_on(async {
        match words[..] {
            ["serve"] => serve().await,
            ["probe", port] => match get("127.0.0.1", port).await {
                Some(answer) if answer.starts_with("HTTP/1.1 200") => 0,
                _ => 1,
            },
            ["get", host, port] => match get(host, port).await {
                Some(answer) => {
                    println!("{}", answer.rsplit("\r\n\r\n").next().unwrap_or_default());
                    0
                }
                None => 1,
            },
            ["copy", from, to] => match std::fs::copy(from, to) {
                Ok(_) => 0,
                Err(error) => {
                    println!("expected to copy {from}, but: {error}");
                    1
                }
            },
            ["fill", path] => match fill(path) {
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => 0,
                other => {
                    println!("expected a full disk, but found {other:?}");
                    1
                }
            },
            ["remove", path] => i32::from(std::fs::remove_file(path).is_err()),
            _ => 2,
        }
    });
    std::process::exit(status);
}

fn fill(path: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    loop {
        file.write_all(&[1; 4096])?;
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

async fn serve() -> i32 {
    let mut terminate = signal(SignalKind::terminate()).expect("a signal handler");
    if let Some(after) = number("EXIT_MS") {
        tokio::spawn(async move {
            sleep(Duration::from_millis(after)).await;
            println!("giving up");
            std::process::exit(3);
        });
    }
    sleep(Duration::from_millis(number("START_MS").unwrap_or(0))).await;
    let listener = TcpListener::bind(("0.0.0.0", number("PORT").unwrap_or(8080) as u16)).await.expect("the port");
    println!("listening");
    loop {
        tokio::select! {
            _ = terminate.recv() => return 0,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                tokio::spawn(answer(stream));
            }
        }
    }
}

async fn answer(mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        head.extend_from_slice(&buffer[..read]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        let ready = env::var("READY").map_or(true, |path| std::path::Path::new(&path).exists());
        let (status, body) = match ready {
            true => ("200 OK", body()),
            false => ("503 Service Unavailable", "not ready".to_owned()),
        };
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The version, or what is in a file.
fn body() -> String {
    match env::var("FILE").ok().and_then(|path| std::fs::read_to_string(path).ok()) {
        Some(text) => text,
        None => env::var("VERSION").unwrap_or_default(),
    }
}

async fn get(host: &str, port: &str) -> Option<String> {
    let mut stream = TcpStream::connect(format!("{host}:{port}")).await.ok()?;
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut text = String::new();
    // the server may keep the connection: the first piece is whole
    let mut buffer = [0; 4096];
    let read = stream.read(&mut buffer).await.ok()?;
    text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    Some(text)
}
