//! The application's life: start, serve, end.

use std::{
    future::pending,
    io::{self, Write as _},
    net::Ipv6Addr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Fault, Settings, endpoints::Endpoints};

/// Why the application ended otherwise than asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// It was told to by its settings.
    #[error("run on: told to exit by APP_FAIL; unset it for an application that runs")]
    ToldToExit,
    /// It was told to by its settings, later.
    #[error("run on: told to crash after {} ms by APP_FAIL; unset it for an application that runs", .0.as_millis())]
    ToldToCrash(Duration),
    /// The port is taken or not permitted.
    #[error("listen on port {port}; free it or set PORT to another one")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Signals can't be handled.
    #[error("handle signals; check the limits that the process runs under")]
    Signals(#[source] io::Error),
}

/// Runs the application until SIGTERM or SIGINT, then lets requests in flight finish.
///
/// The caller's runtime has I/O and time enabled. Connections live in its tasks: with [`Fault::ExitOnSigterm`] they
/// are cut off when the caller ends the process, as it should at once.
///
/// # Errors
/// When it can't start, or was told to fail; the caller prints it to stderr and exits with status 1.
pub async fn run(settings: Settings) -> Result<(), AppError> {
    if settings.fault == Some(Fault::Exit) {
        return Err(AppError::ToldToExit);
    }
    // First of all: process 1 without a handler doesn't see these signals.
    let mut sigterm = signal(SignalKind::terminate()).map_err(AppError::Signals)?;
    let mut sigint = signal(SignalKind::interrupt()).map_err(AppError::Signals)?;
    let told_to_end = async {
        tokio::select! { _ = sigterm.recv() => (), _ = sigint.recv() => () }
        if settings.fault == Some(Fault::IgnoreSigterm) {
            log("told to end, going on");
            pending::<()>().await;
        }
        log("told to end");
    };
    let mut told_to_end = pin!(told_to_end);
    tokio::select! {
        () = sleep(settings.start_delay) => (),
        () = &mut told_to_end => return Ok(()),
    }
    let listener = listen(settings.port).await.map_err(|source| AppError::Listen { port: settings.port, source })?;
    log(&format!("version {} listens on port {}", settings.version, settings.port));
    serve(listener, settings.clone(), told_to_end).await
}

/// A log that nobody reads any more is no reason to end.
fn log(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// IPv6 takes IPv4 along, except where the system has none.
async fn listen(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => TcpListener::bind(("0.0.0.0", port)).await,
        bound => bound,
    }
}

/// Answers on `listener` until `told_to_end` completes.
pub(crate) async fn serve(
    listener: TcpListener,
    settings: Settings,
    told_to_end: impl Future<Output = ()>,
) -> Result<(), AppError> {
    let app = Arc::new(Endpoints::new(settings.clone()));
    let connections = TaskTracker::new();
    let ending = CancellationToken::new();
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, app.clone(), settings.idle_close, ending.clone()));
                }
                // Out of descriptors, most likely: those in use come back.
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::select! {
        () = accepting => (),
        () = told_to_end => (),
        error = fail_later(settings.fault) => return Err(error),
    }
    drop(listener);
    if settings.fault == Some(Fault::ExitOnSigterm) {
        return Ok(());
    }
    ending.cancel();
    connections.close();
    connections.wait().await;
    Ok(())
}

async fn fail_later(fault: Option<Fault>) -> AppError {
    match fault {
        Some(Fault::CrashAfter(time)) => {
            sleep(time).await;
            AppError::ToldToCrash(time)
        }
        Some(Fault::Chatty) => chatter().await,
        _ => pending().await,
    }
}

/// Ten blocks a second, a megabyte together. A log that nobody reads any more ends the noise, not the application.
async fn chatter<T>() -> T {
    let line = format!("{}\n", "all is well and worth a long line ".repeat(3).trim_end());
    let block = line.repeat(100_000 / line.len());
    let mut log = tokio::io::stdout();
    let mut pause = tokio::time::interval(Duration::from_millis(100));
    loop {
        pause.tick().await;
        if log.write_all(block.as_bytes()).await.is_err() {
            return pending().await;
        }
    }
}

async fn connection(stream: TcpStream, app: Arc<Endpoints>, idle_close: Option<Duration>, ending: CancellationToken) {
    // Small answers would otherwise wait for the acknowledgement of earlier ones.
    let _ = stream.set_nodelay(true);
    let activity = Activity::default();
    let service = service_fn(|request: Request<Incoming>| {
        activity.set_busy(true);
        let answer = app.answer(request);
        let activity = &activity;
        async move {
            let response = answer.await;
            activity.set_busy(false);
            response
        }
    });
    let mut connection =
        pin!(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // An error here is the client's: it went away, or didn't speak HTTP.
        _ = connection.as_mut() => return,
        () = ending.cancelled() => (),
        () = activity.idle_for(idle_close) => (),
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Whether a connection has something to do.
#[derive(Default)]
struct Activity {
    busy: AtomicBool,
    changed: Notify,
}

impl Activity {
    fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// Completes when no request was there for `time`; never without a time.
    async fn idle_for(&self, time: Option<Duration>) {
        let Some(time) = time else { return pending().await };
        while timeout(time, self.changed.notified()).await.is_ok() || self.busy.load(Ordering::Relaxed) {}
    }
}
