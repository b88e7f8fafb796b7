//! How long is waited for what, and why.

use std::time::Duration;

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection to an instance: 1 s. The instance is on the same host, so a longer wait means that its address is
    /// dead, and another instance is asked.
    pub connect: Duration,
    /// How long a connection to an instance is kept unused: 1.5 s. Shorter than common servers keep theirs (gunicorn 2 s,
    /// Node and uvicorn 5 s), because a request sent just as the server closes is lost unless it may be repeated; a new
    /// connection on the same host costs 0.1 ms.
    pub upstream_idle: Duration,
    /// For a client's next request, from the end of the answer before (or the connection) to the end of its head: 620 s,
    /// longer than the load balancers in front of us keep theirs, for the same reason.
    pub client_idle: Duration,
    /// For a request's head, from its first byte to its last: 60 s.
    pub head: Duration,
    /// For the head of an answer after the request was sent, then 504. None unless asked for: without a proxy in between
    /// there is no such limit either, and a report that takes 90 s mustn't start to fail.
    pub response_header: Option<Duration>,
    /// For the first bytes of a connection whose protocol is detected, before a backend is listened to: 100 ms.
    pub silence: Duration,
    /// For an instance that receives, from when the last one left, then 503 (or the end of a connection): 30 s, in which a
    /// service whose old instance must stop before the new one starts is back; clients rarely wait for longer.
    pub hold: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            upstream_idle: Duration::from_millis(1500),
            client_idle: Duration::from_secs(620),
            head: Duration::from_secs(60),
            response_header: None,
            silence: Duration::from_millis(100),
            hold: Duration::from_secs(30),
        }
    }
}
