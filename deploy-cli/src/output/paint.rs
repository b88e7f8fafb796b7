//! The colours. Whoever prints strips them where they aren't wanted.

use anstyle::{AnsiColor, Style};

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

pub(super) fn good(text: &str) -> String {
    paint(AnsiColor::Green.on_default(), text)
}

pub(super) fn bad(text: &str) -> String {
    paint(AnsiColor::Red.on_default().bold(), text)
}

pub(super) fn warn(text: &str) -> String {
    paint(AnsiColor::Yellow.on_default(), text)
}

pub(super) fn dim(text: &str) -> String {
    paint(Style::new().dimmed(), text)
}

pub(super) fn bold(text: &str) -> String {
    paint(Style::new().bold(), text)
}
