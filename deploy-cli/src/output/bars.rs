use super::{
    Story,
    rows::{Row, rows},
};
use deploy_core::{
    model::{Event, Outcome},
    observer::{Notice, Progress},
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::time::Duration;

/// Bars on a terminal, one a service; what is worth keeping is written above them.
pub struct Bars {
    all: MultiProgress,
    bars: Vec<(String, ProgressBar)>,
}

impl Default for Bars {
    fn default() -> Self {
        Self::new()
    }
}

impl Bars {
    /// None yet.
    pub fn new() -> Self {
        Self { all: MultiProgress::new(), bars: Vec::new() }
    }

    /// Brings the bars up to date. `line`: the notice in words.
    pub fn show(&mut self, story: &Story, notice: &Notice, line: &str) {
        if is_worth_keeping(notice) {
            self.say(line.trim_end());
        }
        for row in rows(story) {
            self.update(&row);
        }
    }

    /// Writes a line above the bars.
    pub fn say(&self, line: &str) {
        let colours = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        let line = if colours { line.to_owned() } else { anstream::adapter::strip_str(line).to_string() };
        // a terminal that has gone away is no reason to stop deploying
        let _ = self.all.println(line);
    }

    /// Takes the bars away.
    pub fn clear(&mut self) {
        self.bars.clear();
        let _ = self.all.clear();
    }

    fn update(&mut self, row: &Row) {
        let at = self.bars.iter().position(|(service, _)| *service == row.service);
        let at = at.unwrap_or_else(|| {
            let bar = self.all.add(ProgressBar::new(row.of));
            // the template is ours: a wrong one only costs the looks
            if let Ok(style) =
                ProgressStyle::with_template("{prefix:>14} {bar:20} {pos:>2}/{len} {elapsed:>4} {wide_msg}")
            {
                bar.set_style(style.progress_chars("━╸ "));
            }
            bar.set_prefix(if row.service.is_empty() { "project".to_owned() } else { row.service.clone() });
            bar.enable_steady_tick(Duration::from_millis(250));
            self.bars.push((row.service.clone(), bar));
            self.bars.len() - 1
        });
        let bar = &self.bars[at].1;
        bar.set_length(row.of);
        bar.set_position(row.done);
        bar.set_message(row.said.clone());
    }
}

/// What happened, other than that it goes on as planned.
fn is_worth_keeping(notice: &Notice) -> bool {
    match notice {
        Notice::Event { record, .. } => match &record.event {
            Event::StepEnded { outcome, .. } => matches!(outcome, Outcome::Failed { .. } | Outcome::Conflict { .. }),
            Event::Planned { .. } | Event::LeaseTaken { .. } | Event::GuardFailed { .. } | Event::Unwinding { .. } => {
                true
            }
            _ => false,
        },
        Notice::Progress(progress) => {
            matches!(progress, Progress::LeaseHeld { .. } | Progress::Retry { .. } | Progress::Warning { .. })
        }
    }
}
