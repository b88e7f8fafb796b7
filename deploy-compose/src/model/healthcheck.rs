//! The container's own health check.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::{
    read::{At, Fields},
    units::{DURATION, parse_duration},
};

/// How the Engine checks a container. What isn't given comes from the image, or else from the Engine's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Healthcheck {
    /// What is run.
    #[serde(skip_serializing_if = "is_default")]
    pub test: Option<Test>,
    /// Time between two checks.
    #[serde(skip_serializing_if = "is_default")]
    pub interval: Option<Duration>,
    /// How long one check may take.
    #[serde(skip_serializing_if = "is_default")]
    pub timeout: Option<Duration>,
    /// Failures in this time after the start don't count.
    #[serde(skip_serializing_if = "is_default")]
    pub start_period: Option<Duration>,
    /// Time between two checks during the start period.
    #[serde(skip_serializing_if = "is_default")]
    pub start_interval: Option<Duration>,
    /// How many failures in a row make a container unhealthy.
    #[serde(skip_serializing_if = "is_default")]
    pub retries: Option<u32>,
}

/// What a health check runs inside the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Nothing: a check in the image is switched off.
    None,
    /// A program and its arguments.
    Command(Vec<String>),
    /// A line for the container's shell.
    Shell(String),
}

impl Healthcheck {
    pub(crate) fn read(at: &At<'_>) -> Self {
        let mut fields = at.fields();
        let disabled = fields.flag("disable").unwrap_or(false);
        let test = fields.take("test").and_then(|at| Test::read(&at));
        if disabled && test.as_ref().is_some_and(|test| *test != Test::None) {
            at.problem("expected either `test` or `disable: true`, but found both; remove one of them");
        }
        let mut duration = |key| duration(&mut fields, key);
        let healthcheck = Self {
            interval: duration("interval"),
            timeout: duration("timeout"),
            start_period: duration("start_period"),
            start_interval: duration("start_interval"),
            retries: fields.whole("retries", "a whole number that isn't negative"),
            test: if disabled { Some(Test::None) } else { test },
        };
        fields.finish();
        healthcheck
    }

    /// Whether it switches the image's own check off.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.test == Some(Test::None)
    }
}

pub(crate) fn duration(fields: &mut Fields<'_>, key: &str) -> Option<Duration> {
    fields.take(key)?.parsed(DURATION, parse_duration)
}

impl Test {
    fn read(at: &At<'_>) -> Option<Self> {
        if !at.is_list() {
            return at.text().map(Self::Shell);
        }
        let words = at.texts();
        let test = match words.split_first() {
            Some((kind, [])) if kind == "NONE" => Some(Self::None),
            Some((kind, command)) if kind == "CMD" && !command.is_empty() => Some(Self::Command(command.to_vec())),
            Some((kind, [line])) if kind == "CMD-SHELL" => Some(Self::Shell(line.clone())),
            _ => None,
        };
        at.or_expected(test, "NONE alone, CMD and a command, or CMD-SHELL and one line as the first words")
    }
}
