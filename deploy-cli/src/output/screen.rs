use super::{Culprit, Names, Story, deed, paint, status::serving, text};
use deploy_core::{
    engine::{Finish, Report},
    model::{End, World},
};
use std::{collections::BTreeMap, time::Duration};

/// How a run ended, in one screen: for one that succeeded a line, for one that failed what happened, what the new
/// instance said last, what serves now, and what to do next. `world`: as observed afterwards; absent where it can't be.
pub fn screen(story: &Story, report: &Report, took: Duration, world: Option<&World>) -> String {
    let names = names(story, world);
    let took = format!("{:.1} s", took.as_secs_f64());
    let number = report.deployment.map_or_else(String::new, |id| format!("deployment {id} "));
    let why_of = |why: &str| match story.cause() {
        Some(_) => String::new(), // told below
        None => format!(": {why}"),
    };
    let (mark, said, next) = match &report.finish {
        Finish::Unchanged => return format!("{} nothing to do: everything is as wanted\n", paint::good("✓")),
        Finish::Ended(End::Succeeded) => return done(&number, &took, &names, world),
        Finish::Ended(End::RolledBack { why }) => (
            "✗",
            format!("{number}was taken back after {took}{}", why_of(why)),
            match story.cause() {
                Some(_) => {
                    "what served before serves again. Mend the new release and run `deploy up` again; with `--keep-failed` its instances stay for inspection"
                }
                None => "what served before serves again; `deploy up` tries anew",
            },
        ),
        Finish::Ended(End::Cancelled { why }) => (
            "✗",
            format!("{number}ended before it changed anything{}", why_of(why)),
            "run `deploy up` again once that is mended",
        ),
        Finish::Ended(End::Halted { why }) => (
            "✗",
            format!("{number}halted after {took}, where going back might do harm{}", why_of(why)),
            "look at what serves now. `deploy up` with a mended release goes on from here, `deploy rollback` brings the release before back",
        ),
        Finish::Ended(End::Stuck { why }) => (
            "✗",
            format!("{number}is stuck: the way back failed after {took}: {why}"),
            "a person is needed: compare what serves now with what should, mend the cause, then run `deploy up` or `deploy rollback`",
        ),
        Finish::Suspended(why) => (
            "…",
            format!("{number}is suspended: {why}"),
            "`deploy resume` (or the same command) carries on, `deploy abort` goes back",
        ),
    };
    let painted = if mark == "✗" { paint::bad(mark) } else { paint::warn(mark) };
    let mut screen = text::wrap(&format!("{mark} "), &said).replacen(mark, &painted, 1);
    screen.push('\n');
    screen.push_str(&failure(story, &names));
    screen.push_str(&serving_now(&names, world));
    screen.push_str(&section("What next", next));
    screen
}

fn names(story: &Story, world: Option<&World>) -> Names {
    let mut names = story.names.clone();
    world.into_iter().for_each(|world| names.know_world(world));
    names
}

fn section(title: &str, words: &str) -> String {
    text::heading(&text::wrap(&format!("{title:<12} "), words), title)
}

fn done(number: &str, took: &str, names: &Names, world: Option<&World>) -> String {
    let mut done = format!("{} {number}done in {took}\n", paint::good("✓"));
    done.push_str(&serving_now(names, world));
    done
}

/// The step, the last health answer, the last lines of the log.
fn failure(story: &Story, names: &Names) -> String {
    let Some(cause) = story.cause() else { return String::new() };
    let what = match &cause.by {
        Culprit::Guard(guard) => format!("{guard}, the watch over the new release"),
        Culprit::Step(id) => match story.step(id) {
            Some(step) => {
                let service = story.service_of(step).map(|service| format!("{service}: ")).unwrap_or_default();
                format!("{service}{} ({id})", deed(step, names))
            }
            None => id.to_string(),
        },
    };
    let mut said = section("What failed", &what);
    said.push_str(&section("Why", &cause.reason));
    if let Culprit::Step(id) = &cause.by
        && let Some(health) = story.health(id)
    {
        let last = health.last.as_ref().filter(|last| !cause.reason.contains(last.as_str()));
        let last = last.map(|last| format!("; {last}")).unwrap_or_default();
        said.push_str(&section("Health", &format!("{} of {} healthy{last}", health.healthy, health.of)));
    }
    if let Some(log) = story.log() {
        let lines = if log.lines.is_empty() { "it logged nothing" } else { "its last lines:" };
        said.push_str(&section("Log", &format!("{}, {lines}", log.instance)));
        for line in &log.lines {
            said.push_str(&format!("             {} {}\n", paint::dim("|"), text::printable(line)));
        }
    }
    said
}

/// One line a service that has instances.
fn serving_now(names: &Names, world: Option<&World>) -> String {
    let Some(world) = world else {
        return section("Serving now", "couldn't be observed; see `deploy status`");
    };
    let mut services: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in serving(world, names).into_iter().filter(|one| one.asked > 0) {
        services.entry(one.service.to_string()).or_default().push(one.sentence());
    }
    let lines: Vec<_> = services.iter().map(|(service, said)| format!("{service} {}", said.join("; and "))).collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let title = if index == 0 { "Serving now" } else { "" };
        text.push_str(&section(title, line));
    }
    if text.is_empty() { section("Serving now", "nothing") } else { text }
}
