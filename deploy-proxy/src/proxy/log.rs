//! What a proxy says, as JSON lines.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::control::RouteState;

/// Where lines go.
type Sink = Arc<dyn Fn(&str) + Send + Sync>;

/// Writes one line for each change of the routes, and few others. The last line is always the routes in force, so that
/// whoever wants them reads one line of the container's log.
#[derive(Clone)]
pub struct Log {
    sink: Sink,
    routes: Arc<Mutex<Option<String>>>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Routes {
        service: &'a str,
        #[serde(flatten)]
        state: &'a RouteState,
    },
    Warning {
        service: &'a str,
        message: &'a str,
    },
}

impl Log {
    /// Lines go to the given function, each without its line feed.
    pub fn new(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { sink: Arc::new(sink), routes: Arc::default() }
    }

    /// Lines go to standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::new(|line| {
            let mut out = std::io::stdout().lock();
            // A log that nobody can read is no reason to stop serving.
            drop(writeln!(out, "{line}").and_then(|()| out.flush()));
        })
    }

    pub(crate) fn routes(&self, service: &str, state: &RouteState) {
        self.write(&Line::Routes { service, state });
    }

    pub(crate) fn warn(&self, service: &str, message: &str) {
        self.write(&Line::Warning { service, message });
    }

    fn write(&self, line: &Line<'_>) {
        let Ok(text) = serde_json::to_string(line) else { return };
        // Held while writing, so that lines keep their order.
        let mut last = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        (self.sink)(&text);
        match line {
            Line::Routes { .. } => *last = Some(text),
            Line::Warning { .. } => {
                if let Some(routes) = last.as_deref() {
                    (self.sink)(routes);
                }
            }
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_always_the_routes() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = {
            let lines = Arc::clone(&lines);
            Log::new(move |line| lines.lock().unwrap().push(line.to_owned()))
        };
        log.warn("web", "first");
        log.routes("web", &RouteState { revision: 7, ..RouteState::default() });
        log.warn("web", "second");
        let routes = r#"{"event":"routes","service":"web","revision":7,"fence":0,"routes":{"backends":[]}}"#;
        let warning = |message| format!(r#"{{"event":"warning","service":"web","message":"{message}"}}"#);
        assert_eq!(*lines.lock().unwrap(), [warning("first"), routes.into(), warning("second"), routes.into()]);
    }
}
