//! A small HTTP service that can be made to misbehave.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// Answers every request with `VERSION`. `START_MS` is how long it takes to start, `ANSWER_MS` to answer; `STATUS` is
/// what it answers, `EXIT` the status that it ends with at once, and with
/// `DEAF` it ignores SIGTERM.
pub(crate) fn main() -> ExitCode {
    println!("version {} starts", text("VERSION"));
    if let Some(status) = number("EXIT") {
        eprintln!("it can't go on");
        return ExitCode::from(u8::try_from(status).unwrap_or(1));
    }
    if let Err(error) = listen_to_nothing() {
        eprintln!("{error}");
    }
    thread::sleep(Duration::from_millis(number("START_MS").unwrap_or(0)));
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// With `DEAF`, SIGTERM has no effect.
fn listen_to_nothing() -> io::Result<()> {
    if number("DEAF").is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let _guard = runtime.enter();
        // once there is a handler it stays, whoever listens to it
        drop(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?);
        println!("it is deaf");
    }
    Ok(())
}

fn text(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn number(name: &str) -> Option<u64> {
    text(name).parse().ok()
}

fn serve() -> io::Result<()> {
    let port = number("PORT").and_then(|port| u16::try_from(port).ok()).ok_or(io::ErrorKind::InvalidInput)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    loop {
        let (stream, _) = listener.accept()?;
        // a client that leaves is none of its business
        thread::spawn(move || drop(converse(stream)));
    }
}

fn converse(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (status, body) = (number("STATUS").unwrap_or(200), text("VERSION"));
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while line.trim_end() != "" || line.is_empty() {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        reader.read_exact(&mut vec![0; length])?;
        thread::sleep(Duration::from_millis(number("ANSWER_MS").unwrap_or(0)));
        let answer = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes())?;
    }
}
