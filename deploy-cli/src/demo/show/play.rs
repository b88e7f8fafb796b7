use super::{DemoError, Stage, Version, stage::INSTANCES};
use crate::{
    CommandError, Exit,
    args::{DemoArgs, OnInterrupt, Output, RunArgs, StrategyName},
    commands::tear_down,
    demo::load::{self, Load, LoadConfig, Report},
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
    let show = Show { stage, args, output };
    let (told, url) = (stage.told(), stage.url());
    say(output, &format!("A small service of {INSTANCES} instances, deployed to {told}; clients ask {url}."));
    let played = show.acts().await;
    say(output, "\nClearing up.");
    let cleared = show.clear().await;
    let exit = played?;
    cleared.map(|()| exit)
}

/// Lets time pass. True: a signal came.
async fn pause(time: Duration) -> Result<bool, CommandError> {
    let mut signals = Signals::listen().map_err(CommandError::Signals)?;
    tokio::select! {
        () = sleep(time) => Ok(false),
        () = signals.next() => Ok(true),
    }
}

struct Show<'a> {
    stage: &'a dyn Stage,
    args: &'a DemoArgs,
    output: Output,
}

impl Show<'_> {
    async fn acts(&self) -> Result<Exit, CommandError> {
        let [one, two, three] = Version::ALL;
        say(self.output, "\nVersion 1: the first deployment.");
        let first = self.up(one).await?;
        if first != Exit::Done {
            return Ok(first);
        }
        let config = LoadConfig::new([self.stage.url()], self.args.rate);
        let load = load::start(config).map_err(DemoError::from)?;
        say(self.output, &format!("\nVersion 2, while {} requests a second are sent.", self.args.rate));
        if pause(AROUND).await? {
            return Ok(Exit::Interrupted);
        }
        let second = self.up(two).await?;
        if second != Exit::Done {
            return Ok(second);
        }
        self.so_far(&load);
        say(self.output, "\nVersion 3, which gets sick 3 s after its start, when it has all the requests.");
        let third = self.up(three).await?;
        if third == Exit::Interrupted || pause(AROUND).await? {
            return Ok(Exit::Interrupted);
        }
        load.stop();
        let report = load.report().await.map_err(DemoError::from)?;
        Ok(self.verdict(&report, third))
    }

    async fn up(&self, version: Version) -> Result<Exit, CommandError> {
        let request = self.stage.request(version).await?;
        let strategy = strategy::by_name(self.args.strategy.as_str()).unwrap_or(&strategy::Rolling);
        let run = RunArgs { on_interrupt: OnInterrupt::Back, lease_wait: Millis::from_secs(30) };
        Conduct::new(self.stage.place(), self.output, &run).run(Work::Deploy(&request, strategy)).await
    }

    fn so_far(&self, load: &Load) {
        let now = load.progress();
        say(self.output, &format!("Requests so far: {} sent, {} lost.", now.sent, now.lost_total()));
    }

    /// What the load generator counted, and whether all went as it should.
    fn verdict(&self, report: &Report, third: Exit) -> Exit {
        let lost = report.lost_total();
        let gap_is_expected = self.args.strategy == StrategyName::Recreate;
        let exit = match third == Exit::TakenBack && (lost == 0 || gap_is_expected) {
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
        } else if gap_is_expected {
            say(self.output, &format!("{} requests sent, {lost} lost: recreate has a gap.", report.sent));
        } else {
            say(self.output, &format!("{} requests sent, {lost} lost: please report this.", report.sent));
        }
        exit
    }

    async fn clear(&self) -> Result<(), CommandError> {
        let down = tear_down(self.stage.place(), Millis::from_secs(30), true).await;
        self.stage.clear().await;
        down.map(drop)
    }
}

/// Tells a sentence between what the runs tell.
fn say(output: Output, sentence: &str) {
    if output != Output::Json {
        let _ = writeln!(std::io::stderr(), "{sentence}");
    }
}
