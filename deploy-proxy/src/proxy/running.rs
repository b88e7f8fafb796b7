//! A proxy from its start to its end.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::UnixListener;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::commands::{Asked, Commands, specs};
use super::config::{BadArguments, Config};
use super::listener::Listener;
use super::serving::Serving;
use super::store::Store;
use crate::control::{Hello, ListenerSpec, serve};

/// Why a proxy didn't start. Nothing is left open.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] BadArguments),
    /// The state folder can't be used.
    #[error("could not use the state folder {path}; create it, or make it writable for this user")]
    State {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another proxy serves with this state.
    #[error("expected nobody to hold {path}, but another proxy does; end it, or use another state folder")]
    Held {
        /// The lock file.
        path: PathBuf,
    },
    /// A port can't be opened.
    #[error("could not listen on {listener}; choose another port or close what holds it")]
    Listen {
        /// The listener.
        listener: ListenerSpec,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A proxy that can be started.
#[derive(Debug)]
pub struct Proxy;

/// A proxy that serves. Dropping it closes its ports and its control socket at once; [`Running::stop`] does it in good
/// order.
#[derive(Debug)]
pub struct Running {
    commands: Arc<Commands>,
    socket: PathBuf,
    /// The control socket and the sweep of idle connections.
    tasks: JoinSet<()>,
    // Held to the end: one proxy a service and state folder.
    _lock: File,
}

impl Proxy {
    /// Takes up the stored routes, opens the ports, and then the control socket. When this returns, requests are
    /// answered.
    ///
    /// # Errors
    ///
    /// [`StartError`]. A state file that can't be read is none: the routes before are used, and the log says so.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        config.check()?;
        let in_folder = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::State { path, source }
        };
        let store = Store::new(&config.state, &config.service).map_err(in_folder(&config.state))?;
        let lock = hold(&store.lock())?;
        let loaded = store.load();
        if let Some(complaint) = &loaded.complaint {
            config.log.warn(&config.service, complaint);
        }
        let serving = Arc::new(Serving::new(config.timeouts));
        serving.apply(&loaded.state.routes);
        let mut listeners = Vec::new();
        for spec in &config.listeners {
            let opened = Listener::open(spec, &serving).await;
            listeners.push(opened.map_err(|source| StartError::Listen { listener: spec.clone(), source })?);
        }
        let socket = store.socket();
        let control = bind(&socket).map_err(in_folder(&socket))?;
        config.log.routes(&config.service, &loaded.state);
        let commands = Arc::new(Commands {
            service: config.service,
            serving,
            store: Arc::new(store),
            log: config.log,
            state: Mutex::new(loaded.state),
            listeners: Mutex::new(listeners),
            stop: watch::Sender::new(None),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(answer(control, Arc::clone(&commands)));
        tasks.spawn(sweep(Arc::clone(&commands.serving)));
        Ok(Running { commands, socket, tasks, _lock: lock })
    }
}

impl Running {
    /// Where commands are taken.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The open ports, free ones filled in.
    pub async fn listeners(&self) -> Vec<ListenerSpec> {
        specs(&self.commands.listeners.lock().await)
    }

    /// Waits until a command asks the proxy to end, and returns the grace that it gives.
    ///
    /// # Cancellation
    ///
    /// Cancel safe.
    pub async fn asked_to_stop(&self) -> Duration {
        let mut stop = self.commands.stop.subscribe();
        match stop.wait_for(Option::is_some).await {
            Ok(grace) => grace.unwrap_or_default(),
            // The sender lives as long as this does.
            Err(_) => std::future::pending().await,
        }
    }

    /// Ends in good order: closes the ports, tells kept connections to close, lets requests in flight finish for at most
    /// `grace`, and cuts off the rest. Commands are answered until then. True if nothing was cut off.
    pub async fn stop(mut self, grace: Duration) -> bool {
        let serving = &self.commands.serving;
        for listener in self.commands.listeners.lock().await.drain(..) {
            listener.close().await;
        }
        serving.closing().close();
        serving.connections().close();
        let finished = timeout(grace, serving.connections().wait()).await.is_ok();
        serving.closing().end_grace();
        serving.connections().wait().await;
        self.tasks.shutdown().await;
        // The next proxy replaces it anyway.
        drop(std::fs::remove_file(&self.socket));
        finished
    }
}

fn hold(path: &Path) -> Result<File, StartError> {
    let failed = |source| StartError::State { path: path.to_owned(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::Held { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Opens the control socket for this user only. It appears under its name when it is ready.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let early = path.with_extension("sock.new");
    match std::fs::remove_file(&early) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixListener::bind(&early)?;
    std::fs::set_permissions(&early, Permissions::from_mode(0o600))?;
    std::fs::rename(&early, path)?;
    Ok(socket)
}

async fn answer(socket: UnixListener, commands: Arc<Commands>) {
    let hello = Hello::new(commands.service.as_str());
    let asked = Arc::new(Asked(commands));
    let mut askers = JoinSet::new();
    loop {
        while askers.try_join_next().is_some() {}
        match socket.accept().await {
            Ok((stream, _)) => {
                let (hello, asked) = (hello.clone(), Arc::clone(&asked));
                // How it ended is the asker's business, and it knows.
                askers.spawn(async move { drop(serve(stream, &hello, asked).await) });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn sweep(serving: Arc<Serving>) {
    let mut ticks = interval(Duration::from_millis(500));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        serving.sweep();
    }
}
