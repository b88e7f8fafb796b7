//! The application's settings, from its environment.

use std::{str::FromStr, time::Duration};

use super::ErrorRate;

/// How the application behaves; the module's table says which variable sets what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The port to listen on; 0 lets the system choose.
    pub port: u16,
    /// What the application calls itself in its answers.
    pub version: String,
    /// Time from the start to listening.
    pub start_delay: Duration,
    /// Time that each request takes.
    pub latency: Duration,
    /// Which requests fail.
    pub error_rate: ErrorRate,
    /// What goes wrong.
    pub fault: Option<Fault>,
    /// How long a kept connection may be idle before the application closes it.
    pub idle_close: Option<Duration>,
}

/// What goes wrong on purpose (`APP_FAIL`). Times count from the moment the application listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `exit`: ends at once with a message and status 1, without listening.
    Exit,
    /// `unhealthy`: `/healthz` answers 500 for ever.
    Unhealthy,
    /// `unhealthy-after:MS`: `/healthz` answers 500 from then on.
    UnhealthyAfter(Duration),
    /// `crash-after:MS`: ends then with a message and status 1, requests in flight or not.
    CrashAfter(Duration),
    /// `ignore-sigterm`: goes on serving after SIGTERM and SIGINT.
    IgnoreSigterm,
    /// `exit-on-sigterm`: ends at once on SIGTERM and SIGINT, with requests in flight cut off.
    ExitOnSigterm,
    /// `chatty`: logs a megabyte a second.
    Chatty,
    /// `hang`: takes connections and requests, and never answers any.
    Hang,
}

/// Why the environment isn't a valid configuration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("read the application's settings: expected {expected} in {variable}, but found `{found}`; correct or unset it")]
#[non_exhaustive]
pub struct SettingsError {
    /// The variable at fault.
    pub variable: &'static str,
    /// What it may hold.
    pub expected: &'static str,
    /// What it holds.
    pub found: String,
}

const FAULTS: &str = "one of exit, unhealthy, unhealthy-after:MS, crash-after:MS, ignore-sigterm, exit-on-sigterm, \
                      chatty, hang";
const MILLISECONDS: &str = "a number of milliseconds";

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: 8080,
            version: "v1".to_owned(),
            start_delay: Duration::ZERO,
            latency: Duration::ZERO,
            error_rate: ErrorRate::default(),
            fault: None,
            idle_close: None,
        }
    }
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// When a variable holds something else than it may.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_lookup(|variable| std::env::var_os(variable).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Reads variables through `lookup`. An empty variable counts as unset.
    ///
    /// # Errors
    /// When a variable holds something else than it may.
    pub fn from_lookup(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Self, SettingsError> {
        let defaults = Self::default();
        let read = Reader { lookup };
        Ok(Self {
            port: read.parsed("PORT", "a port number")?.unwrap_or(defaults.port),
            version: read
                .value("APP_VERSION", "printable ASCII text", |text| {
                    text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()).then(|| text.to_owned())
                })?
                .unwrap_or(defaults.version),
            start_delay: read.milliseconds("APP_START_DELAY_MS")?.unwrap_or(defaults.start_delay),
            latency: read.milliseconds("APP_LATENCY_MS")?.unwrap_or(defaults.latency),
            error_rate: read
                .value("APP_ERROR_RATE", "a share from 0 to 1", |text| ErrorRate::new(text.parse().ok()?))?
                .unwrap_or(defaults.error_rate),
            fault: read.value("APP_FAIL", FAULTS, Fault::parse)?,
            idle_close: read.milliseconds("APP_IDLE_CLOSE_MS")?,
        })
    }
}

impl Fault {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.split_once(':') {
            Some(("unhealthy-after", time)) => Self::UnhealthyAfter(milliseconds(time)?),
            Some(("crash-after", time)) => Self::CrashAfter(milliseconds(time)?),
            Some(_) => return None,
            None => match text {
                "exit" => Self::Exit,
                "unhealthy" => Self::Unhealthy,
                "ignore-sigterm" => Self::IgnoreSigterm,
                "exit-on-sigterm" => Self::ExitOnSigterm,
                "chatty" => Self::Chatty,
                "hang" => Self::Hang,
                _ => return None,
            },
        })
    }
}

fn milliseconds(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis)
}

struct Reader<L> {
    lookup: L,
}

impl<L: Fn(&'static str) -> Option<String>> Reader<L> {
    fn value<T>(
        &self,
        variable: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, SettingsError> {
        match (self.lookup)(variable).filter(|found| !found.is_empty()) {
            None => Ok(None),
            Some(found) => parse(&found).map(Some).ok_or(SettingsError { variable, expected, found }),
        }
    }

    fn parsed<T: FromStr>(&self, variable: &'static str, expected: &'static str) -> Result<Option<T>, SettingsError> {
        self.value(variable, expected, |text| text.parse().ok())
    }

    fn milliseconds(&self, variable: &'static str) -> Result<Option<Duration>, SettingsError> {
        self.value(variable, MILLISECONDS, milliseconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_lookup(|wanted| {
            variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_empty_environment_gives_the_defaults() {
        assert_eq!(read(&[]), Ok(Settings::default()));
        assert_eq!(read(&[("PORT", ""), ("APP_FAIL", "")]), Ok(Settings::default()));
    }

    #[test]
    fn every_variable_is_read() {
        let settings = read(&[
            ("PORT", "9000"),
            ("APP_VERSION", "2.1 beta"),
            ("APP_START_DELAY_MS", "500"),
            ("APP_LATENCY_MS", "20"),
            ("APP_ERROR_RATE", "0.01"),
            ("APP_FAIL", "crash-after:20000"),
            ("APP_IDLE_CLOSE_MS", "75"),
        ]);
        assert_eq!(
            settings,
            Ok(Settings {
                port: 9000,
                version: "2.1 beta".to_owned(),
                start_delay: Duration::from_millis(500),
                latency: Duration::from_millis(20),
                error_rate: ErrorRate::new(0.01).unwrap(),
                fault: Some(Fault::CrashAfter(Duration::from_secs(20))),
                idle_close: Some(Duration::from_millis(75)),
            })
        );
    }

    #[test]
    fn every_fault_is_read() {
        for (text, fault) in [
            ("exit", Fault::Exit),
            ("unhealthy", Fault::Unhealthy),
            ("unhealthy-after:7", Fault::UnhealthyAfter(Duration::from_millis(7))),
            ("crash-after:7", Fault::CrashAfter(Duration::from_millis(7))),
            ("ignore-sigterm", Fault::IgnoreSigterm),
            ("exit-on-sigterm", Fault::ExitOnSigterm),
            ("chatty", Fault::Chatty),
            ("hang", Fault::Hang),
        ] {
            assert_eq!(read(&[("APP_FAIL", text)]).unwrap().fault, Some(fault), "{text}");
        }
    }

    #[test]
    fn a_wrong_value_is_named_with_what_was_expected() {
        for (variable, value) in [
            ("PORT", "65536"),
            ("APP_VERSION", "v1\r\nx-more: 1"),
            ("APP_LATENCY_MS", "20ms"),
            ("APP_ERROR_RATE", "2"),
            ("APP_FAIL", "crash-after"),
            ("APP_FAIL", "exit:1"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err();
            assert_eq!((error.variable, error.found.as_str()), (variable, value));
        }
        assert_eq!(
            read(&[("APP_LATENCY_MS", "20ms")]).unwrap_err().to_string(),
            "read the application's settings: expected a number of milliseconds in APP_LATENCY_MS, but found `20ms`; \
             correct or unset it"
        );
    }
}
