//! What the tests of published Compose files run in the place of nginx, PostgreSQL and the like. It does whatever it is
//! asked by the name that it is called by:
//!
//! - `/deploy install`, while its image is built: gives itself the names of the programs that the files call;
//! - `redis-cli`, `sh` and the like, the files' own health checks: whether the first of its ports answers;
//! - anything else: the server itself. It listens on `PORTS` and tells its `VERSION`, those that wrote to `DATA` before it,
//!   under `/file/PATH` what is in a file and under `/HOST:PORT` what another server says. With `EXIT` it ends at once.

use std::{env, fs, io, path::Path, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    time::timeout,
};

/// The programs of the real images' health checks.
const CHECKS: [&str; 8] = [
    "/bin/sh",
    "/usr/bin/curl",
    "/usr/bin/wget",
    "/usr/local/bin/redis-cli",
    "/usr/local/bin/pg_isready",
    "/usr/local/bin/healthcheck.sh",
    "/usr/local/bin/rabbitmq-diagnostics",
    "/api",
];

/// How long a connection may take to be answered.
const ANSWER_BY: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let args: Vec<_> = env::args().collect();
    let called = args.first().map_or("", String::as_str);
    let is_check = CHECKS.iter().any(|check| Path::new(check).file_name() == Path::new(called).file_name());
    match args.get(1).map(String::as_str) {
        Some("install") => install(),
        _ if is_check => {
            let port = ports().next().unwrap_or(0);
            ask(&format!("127.0.0.1:{port}")).await.map(|answer| println!("{answer}"))
        }
        _ => serve().await,
    }
}

fn install() -> io::Result<()> {
    for name in CHECKS {
        let folder = Path::new(name).parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        std::os::unix::fs::symlink("/deploy", name)?;
    }
    Ok(())
}

fn ports() -> impl Iterator<Item = u16> {
    let ports = env::var("PORTS").unwrap_or_default();
    ports.split(' ').filter_map(|port| port.parse().ok()).collect::<Vec<_>>().into_iter()
}

async fn serve() -> io::Result<()> {
    let mut stops = [SignalKind::terminate(), SignalKind::quit(), SignalKind::interrupt()].map(signal).into_iter();
    if let Ok(why) = env::var("EXIT") {
        println!("{why}");
        std::process::exit(3);
    }
    let text = text()?;
    for port in ports() {
        let listener = TcpListener::bind(("0.0.0.0", port)).await?;
        let text = text.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(timeout(ANSWER_BY, answer(stream, text.clone())));
            }
        });
    }
    println!("{text}");
    let (Some(terminate), Some(quit), Some(interrupt)) = (stops.next(), stops.next(), stops.next()) else {
        return Err(io::Error::other("expected three signals"));
    };
    let (mut terminate, mut quit, mut interrupt) = (terminate?, quit?, interrupt?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = quit.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Its version, and those that wrote to the data before it.
fn text() -> io::Result<String> {
    let version = env::var("VERSION").unwrap_or_default();
    let Ok(folder) = env::var("DATA") else { return Ok(version) };
    let log = Path::new(&folder).join("versions");
    let before = fs::read_to_string(&log).unwrap_or_default();
    fs::create_dir_all(&folder)?;
    fs::write(&log, format!("{before}{version}\n"))?;
    match before.trim_end() {
        "" => Ok(version),
        before => Ok(format!("{version} after {}", before.replace('\n', ", "))),
    }
}

async fn answer(mut stream: TcpStream, text: String) -> io::Result<()> {
    let (mut head, mut piece) = (String::new(), [0; 4096]);
    while !head.contains("\r\n\r\n") {
        match stream.read(&mut piece).await? {
            0 => return Ok(()),
            read => head.push_str(&String::from_utf8_lossy(&piece[..read])),
        }
    }
    let path = head.split(' ').nth(1).unwrap_or("/").trim_start_matches('/');
    let body = match path {
        "" => text,
        path if path.starts_with("file/") => fs::read_to_string(&path[4..]).unwrap_or_default(),
        other => ask(other).await.unwrap_or_else(|error| format!("nobody: {error}")),
    };
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await
}

/// The body of what a server answers.
async fn ask(server: &str) -> io::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("it said nothing"))?;
        Ok(body.to_owned())
    };
    timeout(ANSWER_BY, exchange).await.unwrap_or_else(|elapsed| Err(elapsed.into()))
}
