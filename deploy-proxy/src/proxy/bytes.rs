//! One client's connection that isn't HTTP/1: routed once, then bytes both ways.

use std::sync::Arc;

use tokio::net::TcpStream;

use super::backend::{Backend, InFlight};
use super::serving::Serving;
use super::tunnel::{self, End};
use super::upstream::connect;

/// Serves one connection. `spoken` is a backend that was connected already.
pub(crate) async fn serve(
    serving: Arc<Serving>,
    client: TcpStream,
    backend_port: u16,
    spoken: Option<(TcpStream, Arc<Backend>)>,
) {
    let at_hand = spoken.and_then(|(instance, backend)| Some((instance, backend.enter()?)));
    let connected = match at_hand {
        Some(connected) => Some(connected),
        None => reach(&serving, backend_port).await,
    };
    // Without an instance the connection is closed, as it would be where nobody listens.
    if let Some((instance, in_flight)) = connected {
        tunnel::run(End::new(client), End::new(instance), in_flight.long_lived(), serving.closing()).await;
    }
}

/// Connects to the backend whose turn it is, and to another where that fails.
async fn reach(serving: &Serving, backend_port: u16) -> Option<(TcpStream, InFlight)> {
    let mut failed: Option<Arc<Backend>> = None;
    for _ in 0..2 {
        let in_flight = serving.enter_in_time(failed.as_ref()).await?;
        let backend = Arc::clone(in_flight.backend());
        let connected = connect(&backend.address(backend_port), serving.timeouts().connect).await;
        backend.connected(connected.is_ok());
        match connected {
            Ok(instance) => return Some((instance, in_flight)),
            Err(_) => failed = Some(backend),
        }
    }
    None
}
