use super::{Stage, Traffic, Version, stage::INSTANCES};
use crate::{
    CommandError, Exit,
    args::{DemoArgs, OnInterrupt, Output, RunArgs, StrategyName},
    demo::load::Report,
    run::{Conduct, Signals, Work},
};
use deploy_core::{model::Millis, strategy};
use serde_json::json;
use std::{io::Write, time::Duration};
use tokio::time::sleep;

/// How long requests are sent before and after what is shown under load.
const AROUND: Duration = Duration::from_secs(1);

/// Plays it on a stage, and clears the stage whatever happens. Done: every version went as it should, and no request was
/// lost (some are with *recreate*, as told).
///
/// # Errors
/// What kept it from being played to its end.
pub async fn play(stage: &dyn Stage, args: &DemoArgs, output: Output) -> Result<Exit, CommandError> {
    let strategy = args.strategy.unwrap_or_else(|| stage.strategy());
    let show = Show { stage, strategy, rate: args.rate, output };
    say(output, &format!("A small service of {INSTANCES} instances, deployed to {}.", stage.told()));
    let played = show.acts().await;
    clear_up(stage, output, played).await
}

/// Clears a stage, and ends as what took place on it did.
///
/// # Errors
/// What kept it from taking place, or else what couldn't be cleared.
pub async fn clear_up(
    stage: &dyn Stage,
    output: Output,
    played: Result<Exit, CommandError>,
) -> Result<Exit, CommandError> {
    say(output, "\nClearing up.");
    match (played, stage.clear().await) {
        (played, Ok(())) => played,
        (Ok(_), Err(error)) => Err(error),
        (Err(first), Err(error)) => {
            say(output, &format!("error: {}", error.explain()));
            Err(first)
        }
    }
}

/// What comes of something; none where a signal came first.
async fn unless<T>(signals: &mut Signals, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = signals.next() => None,
    }
}

struct Show<'a> {
    stage: &'a dyn Stage,
    strategy: StrategyName,
    rate: u32,
    output: Output,
}

impl Show<'_> {
    async fn acts(&self) -> Result<Exit, CommandError> {
        // what comes between the runs is heard too
        let mut signals = Signals::listen().map_err(CommandError::Signals)?;
        let signals = &mut signals;
        let [one, two, three] = self.stage.versions();
        say(self.output, "\nVersion 1: the first deployment.");
        let first = self.up(one, signals).await?;
        if first != Exit::Done {
            return Ok(first);
        }
        let Some(traffic) = unless(signals, self.stage.load(self.rate)).await else { return Ok(Exit::Interrupted) };
        let traffic = traffic?;
        say(self.output, &format!("\nVersion 2, while {} requests a second are sent.", self.rate));
        if unless(signals, sleep(AROUND)).await.is_none() {
            return Ok(Exit::Interrupted);
        }
        let second = self.up(two, signals).await?;
        if second != Exit::Done {
            return Ok(second);
        }
        self.so_far(&*traffic);
        say(self.output, &format!("\nVersion 3, {}.", three.told));
        let third = self.up(three, signals).await?;
        if third == Exit::Interrupted {
            return Ok(third);
        }
        say(self.output, &format!("`deploy up` ends with exit status {} then: {}.", third.status(), third.meaning()));
        if unless(signals, sleep(AROUND)).await.is_none() {
            return Ok(Exit::Interrupted);
        }
        match unless(signals, traffic.end()).await {
            Some(report) => Ok(self.verdict(&report?, third)),
            None => Ok(Exit::Interrupted),
        }
    }

    async fn up(&self, version: Version, signals: &mut Signals) -> Result<Exit, CommandError> {
        let Some(request) = unless(signals, self.stage.request(version)).await else { return Ok(Exit::Interrupted) };
        let request = request?;
        let strategy = strategy::by_name(self.strategy.as_str()).unwrap_or(&strategy::Rolling);
        let run = RunArgs { on_interrupt: OnInterrupt::Back, lease_wait: Millis::from_secs(30) };
        Conduct::new(self.stage.place(), self.output, &run).run(Work::Deploy(&request, strategy)).await
    }

    fn so_far(&self, traffic: &dyn Traffic) {
        let now = traffic.progress();
        say(self.output, &format!("Requests so far: {} sent, {} lost.", now.sent, now.lost_total()));
    }

    /// What the load generator counted, and whether all went as it should.
    fn verdict(&self, report: &Report, third: Exit) -> Exit {
        let lost = report.lost_total();
        let excuse = self.stage.excuse(self.strategy);
        let exit = match third == Exit::TakenBack && (lost == 0 || excuse.is_some()) {
            true => Exit::Done,
            false => Exit::Failed,
        };
        if self.output == Output::Json {
            let object = json!({ "kind": "demo", "third": third.status(), "load": report, "exit": exit.status() });
            let _ = writeln!(std::io::stdout(), "{object}");
            return exit;
        }
        say(self.output, "\nWhat the load generator counted:");
        let _ = writeln!(std::io::stdout(), "{report}");
        if third != Exit::TakenBack {
            say(self.output, "Version 3 should have been taken back, but wasn't: please report this.");
        } else if lost == 0 {
            say(self.output, &format!("{} requests sent, 0 lost: nobody noticed.", report.sent));
        } else if let Some(excuse) = excuse {
            say(self.output, &format!("{} requests sent, {lost} lost: {excuse}.", report.sent));
        } else {
            say(self.output, &format!("{} requests sent, {lost} lost: please report this.", report.sent));
        }
        exit
    }
}

/// Tells a sentence between what the runs tell.
fn say(output: Output, sentence: &str) {
    if output != Output::Json {
        let _ = writeln!(std::io::stderr(), "{sentence}");
    }
}
