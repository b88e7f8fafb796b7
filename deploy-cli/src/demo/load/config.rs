//! What the generator is asked to do.

use std::{io, num::NonZeroU32, time::Duration};

use hyper::{Uri, header::HeaderValue};

/// What to send, how often and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadConfig {
    /// `http://HOST[:PORT]/PATH`, asked in turn. A name is resolved for each new connection.
    pub urls: Vec<String>,
    /// Requests per second, over all URLs.
    pub rate: u32,
    /// For how long requests are sent; without it until [`Load::stop`](super::Load::stop).
    pub duration: Option<Duration>,
    /// Which connections they are sent on.
    pub mode: Mode,
    /// What is sent, and what must come back.
    pub exchange: Exchange,
    /// Time for one request, from connecting to the answer's last byte.
    pub timeout: Duration,
    /// Requests that may wait for their answers at once; one more is lost as [`Loss::Overrun`](super::Loss::Overrun).
    /// Each may need a connection: the process's limit on open files should be higher.
    pub max_outstanding: usize,
}

/// Which connections requests are sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// On up to this many kept connections to each URL, in turn. When all are busy, a further one is opened for one
    /// request, because an open loop doesn't wait.
    KeepAlive {
        /// How many.
        connections: usize,
    },
    /// Each on its own, with `Connection: close`.
    ConnectionPerRequest,
}

/// What a request is, and what its answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// GET; any complete body will do.
    Get,
    /// POST of the request's own number, which must come back as the body: shows answers that were given to the wrong
    /// request.
    Echo,
}

/// Why no load is generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The URLs to ask.
    #[error("read the load's address: expected http://HOST[:PORT]/PATH, but found `{0}`; correct it")]
    Url(String),
    /// No URL.
    #[error("read the load's addresses: expected at least one, but found none; add one")]
    NoUrl,
    /// The rate.
    #[error("read the load's rate: expected 1 request per second or more, but found 0; raise it")]
    NoRate,
    /// The generator's own thread or runtime.
    #[error("start the load generator; check the limits on threads and open files")]
    Start(#[source] io::Error),
    /// The latency's record.
    #[error("prepare the latency's record; this is a defect of the load generator, please report it")]
    Histogram(#[from] hdrhistogram::CreationError),
    /// The generator's thread is gone.
    #[error("get the load generator's report, because its thread has ended; the message of its end is on stderr")]
    Gone,
}

impl LoadConfig {
    /// `rate` GET requests per second to `urls` until stopped, over 16 kept connections each, 5 s each, 4096 at once.
    pub fn new<U: Into<String>>(urls: impl IntoIterator<Item = U>, rate: u32) -> Self {
        Self {
            urls: urls.into_iter().map(Into::into).collect(),
            rate,
            duration: None,
            mode: Mode::KeepAlive { connections: 16 },
            exchange: Exchange::Get,
            timeout: Duration::from_secs(5),
            max_outstanding: 4096,
        }
    }

    /// The URLs, checked.
    pub(super) fn endpoints(&self) -> Result<Vec<Endpoint>, LoadError> {
        if self.urls.is_empty() {
            return Err(LoadError::NoUrl);
        }
        self.urls.iter().map(|url| Endpoint::parse(url).ok_or_else(|| LoadError::Url(url.clone()))).collect()
    }

    pub(super) fn schedule(&self) -> Result<Schedule, LoadError> {
        Ok(Schedule { rate: NonZeroU32::new(self.rate).ok_or(LoadError::NoRate)?, duration: self.duration })
    }
}

/// Where requests go.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// A name or an address, IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// What the `Host` header says.
    pub(super) authority: HeaderValue,
    /// Path and query.
    pub(super) path: Uri,
}

impl Endpoint {
    fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"))?;
        Some(Self {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: HeaderValue::from_str(authority.as_str()).ok()?,
            path: uri.path_and_query()?.clone().into(),
        })
    }
}

/// When requests are due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    rate: NonZeroU32,
    duration: Option<Duration>,
}

impl Schedule {
    /// Time from the start to request `number`, counted from 0; `None` when the duration is over by then.
    ///
    /// Computed from the number, so that roundings don't add up.
    pub(super) fn due(&self, number: u64) -> Option<Duration> {
        let rate = u64::from(self.rate.get());
        let due = Duration::from_secs(number / rate) + Duration::from_nanos(number % rate * 1_000_000_000 / rate);
        self.duration.is_none_or(|duration| due < duration).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_exactly_its_requests() {
        let mut config = LoadConfig::new(["http://x/"], 300);
        config.duration = Some(Duration::from_millis(1_500));
        let schedule = config.schedule().unwrap();
        assert_eq!((0..).map_while(|number| schedule.due(number)).count(), 450);
        assert_eq!(schedule.due(1), Some(Duration::from_nanos(3_333_333)));
        assert_eq!(schedule.due(301), Some(Duration::from_nanos(1_003_333_333)));
    }

    #[test]
    fn urls_are_taken_apart() {
        let endpoint = Endpoint::parse("http://[::1]:8080/a?b=c").unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port, endpoint.path.to_string()), ("::1", 8080, "/a?b=c".into()));
        assert_eq!(endpoint.authority, "[::1]:8080");
        let endpoint = Endpoint::parse("http://web").unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port, endpoint.path.to_string()), ("web", 80, "/".into()));
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for url in ["", "web:80", "https://web/", "/path"] {
            assert!(matches!(LoadConfig::new([url], 1).endpoints(), Err(LoadError::Url(found)) if found == url));
        }
        assert!(matches!(LoadConfig::new([""; 0], 1).endpoints(), Err(LoadError::NoUrl)));
        assert!(matches!(LoadConfig::new(["http://web/"], 0).schedule(), Err(LoadError::NoRate)));
    }
}
