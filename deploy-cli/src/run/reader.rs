use crate::{
    Exit,
    args::Output,
    output::{Bars, Lines, Story, json, screen, to_stderr, to_stdout},
};
use deploy_core::{
    engine::Report,
    model::World,
    observer::{Notice, Observer},
};
use std::{
    io::IsTerminal,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Reads a run's notices and tells them: lines or bars on standard error, or JSON on standard output.
#[derive(Clone)]
pub struct Reader(Arc<Mutex<Inner>>);

struct Inner {
    story: Story,
    form: Form,
    began: Instant,
}

enum Form {
    Lines { lines: Lines, plain: bool },
    Bars { bars: Bars, lines: Lines },
    Json,
}

impl Reader {
    /// Begins to tell a story.
    pub fn new(output: Output, story: Story) -> Self {
        let form = match output {
            Output::Json => Form::Json,
            Output::Text if std::io::stderr().is_terminal() => {
                Form::Bars { bars: Bars::new(), lines: Lines::default() }
            }
            Output::Text | Output::Plain => Form::Lines { lines: Lines::default(), plain: output == Output::Plain },
        };
        Self(Arc::new(Mutex::new(Inner { story, form, began: Instant::now() })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an engine tells.
    pub fn observer(&self) -> Observer {
        let reader = self.clone();
        Arc::new(move |notice| reader.inner().tell(notice))
    }

    /// The story so far.
    pub fn story(&self) -> Story {
        self.inner().story.clone()
    }

    /// A sentence from us, between what the engine tells.
    pub fn say(&self, sentence: &str) {
        let mut inner = self.inner();
        match &mut inner.form {
            Form::Json => {}
            Form::Bars { bars, .. } => bars.say(sentence),
            Form::Lines { plain, .. } => to_stderr(&format!("{sentence}\n"), *plain),
        }
    }

    /// How it ended, as a screen or as the last object.
    pub fn finish(&self, report: &Report, exit: Exit, world: Option<&World>) {
        let mut inner = self.inner();
        let took = inner.took();
        let screen = screen(&inner.story, report, took, world);
        match &mut inner.form {
            Form::Json => to_stdout(&json::finished(report, exit)),
            Form::Bars { bars, .. } => {
                bars.clear();
                to_stderr(&screen, false);
            }
            Form::Lines { plain, .. } => to_stderr(&screen, *plain),
        }
    }

    /// Makes room for what others print.
    pub fn clear(&self) {
        if let Form::Bars { bars, .. } = &mut self.inner().form {
            bars.clear();
        }
    }
}

impl Inner {
    fn took(&self) -> Duration {
        self.began.elapsed()
    }

    fn tell(&mut self, notice: &Notice) {
        let at = self.took();
        self.story.hear(notice);
        match &mut self.form {
            Form::Json => to_stdout(&json::line(notice)),
            Form::Lines { lines, plain } => to_stderr(&lines.tell(&self.story, at, notice), *plain),
            Form::Bars { bars, lines } => {
                let text = lines.tell(&self.story, at, notice);
                bars.show(&self.story, notice, &text);
            }
        }
    }
}
