//! Bytes both ways between a client and an instance: byte connections and upgraded ones.

use bytes::Bytes;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use super::backend::LongLived;
use super::closing::Closing;

/// One side: its connection, and what was already read from it.
pub(crate) struct End {
    pub(crate) stream: TcpStream,
    pub(crate) read: Bytes,
}

impl End {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, read: Bytes::new() }
    }
}

/// Copies until both sides have ended, one breaks, a drain's deadline passes, or the proxy's grace is over.
pub(crate) async fn run(mut client: End, mut instance: End, mut in_flight: LongLived, closing: &Closing) {
    let copy = async {
        instance.stream.write_all(&client.read).await?;
        client.stream.write_all(&instance.read).await?;
        copy_bidirectional(&mut client.stream, &mut instance.stream).await
    };
    tokio::select! {
        // How a connection ended is between the two.
        copied = copy => drop(copied),
        () = in_flight.cut() => {}
        () = closing.grace_over() => {}
    }
    // Both sockets are closed before the count falls.
    drop((client, instance));
    drop(in_flight);
}
