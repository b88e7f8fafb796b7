//! The ports of a proxy.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::detect::{Carries, detect};
use super::serving::Serving;
use super::upstream::set_up;
use super::{bytes, http};
use crate::control::{ListenerSpec, Protocol};

/// One open port; closed to new connections when dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    spec: ListenerSpec,
    accepting: JoinHandle<()>,
}

impl Listener {
    /// Opens a port and serves what connects to it.
    pub(crate) async fn open(spec: &ListenerSpec, serving: &Arc<Serving>) -> io::Result<Self> {
        let socket = bind(spec).await?;
        let mut spec = spec.clone();
        spec.port = socket.local_addr()?.port();
        let accepting = tokio::spawn(accept(socket, spec.clone(), Arc::clone(serving)));
        Ok(Self { spec, accepting })
    }

    /// What it listens on, a free port filled in.
    pub(crate) fn spec(&self) -> &ListenerSpec {
        &self.spec
    }

    /// Closes the port. When this returns, nobody can connect to it.
    pub(crate) async fn close(mut self) {
        self.accepting.abort();
        // Cancelled, which is what was asked for.
        drop((&mut self.accepting).await);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn bind(spec: &ListenerSpec) -> io::Result<TcpListener> {
    let mut unsupported = None;
    for address in spec.addresses() {
        match TcpListener::bind(address).await {
            Ok(socket) => return Ok(socket),
            Err(error) if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {
                return Err(error);
            }
            Err(error) => unsupported = Some(error),
        }
    }
    Err(unsupported.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

async fn accept(socket: TcpListener, spec: ListenerSpec, serving: Arc<Serving>) {
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                set_up(&stream);
                let connection = serve(Arc::clone(&serving), stream, peer.ip(), spec.protocol, spec.backend_port);
                serving.connections().spawn(connection);
            }
            // Out of file descriptors, most likely: those that are open go on, and some will end.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve(
    serving: Arc<Serving>,
    stream: TcpStream,
    peer: std::net::IpAddr,
    protocol: Protocol,
    backend_port: u16,
) {
    let carries = match protocol {
        Protocol::Http => Carries::Http,
        Protocol::Bytes => Carries::Bytes(None),
        Protocol::Detect => tokio::select! {
            carries = detect(&stream, &serving, backend_port) => carries,
            () = serving.closing().wait() => Carries::Nothing,
        },
    };
    match carries {
        Carries::Http => http::serve(serving, stream, peer, backend_port).await,
        Carries::Bytes(spoken) => bytes::serve(serving, stream, backend_port, spoken).await,
        Carries::Nothing => {}
    }
}
