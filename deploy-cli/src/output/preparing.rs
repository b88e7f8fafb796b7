use super::{json, to_stderr, to_stdout};
use crate::args::Output;
use deploy_docker::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    collections::BTreeSet,
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Tells what is pulled and built before there is a plan: on one line of a terminal, else a line for each image and for
/// each line of a builder.
pub struct Preparing {
    output: Output,
    bar: Option<ProgressBar>,
    told: Mutex<BTreeSet<String>>,
}

impl Preparing {
    /// Nothing yet.
    pub fn new(output: Output) -> Self {
        let bar = (output == Output::Text && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.set_message("looking at the images");
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { output, bar, told: Mutex::default() }
    }

    /// Tells how far it has come.
    pub fn tell(&self, progress: Progress) {
        match (&self.bar, self.output) {
            (Some(bar), _) => bar.set_message(now(&progress)),
            (None, Output::Json) => to_stdout(&json::preparing(&now(&progress))),
            (None, output) => {
                // a line for each thing that begins or ends; a builder may say the same twice
                let line = match progress {
                    Progress::Building { .. } => {
                        return to_stderr(&format!("{}\n", now(&progress)), output == Output::Plain);
                    }
                    _ => begins(&progress),
                };
                if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
                    to_stderr(&format!("{line}\n"), output == Output::Plain);
                }
            }
        }
    }

    /// Takes the line away.
    pub fn clear(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

fn begins(progress: &Progress) -> String {
    match progress {
        Progress::Pulling { image, .. } => format!("pulling {image}"),
        Progress::Pulled { image } => format!("pulled {image}"),
        Progress::Building { image, .. } => format!("building {image}"),
        _ => "preparing".into(),
    }
}

fn now(progress: &Progress) -> String {
    let begins = begins(progress);
    match progress {
        Progress::Pulling { done, of: of @ 1.., .. } => {
            format!("{begins}: {} of {} MB", done / 1_000_000, of.div_ceil(1_000_000))
        }
        Progress::Building { line, .. } => format!("{begins}: {}", super::text::printable(line.trim())),
        _ => begins,
    }
}
