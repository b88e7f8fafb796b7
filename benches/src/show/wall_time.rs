//! How long a deployment of all instances at once takes until all traffic is on the new version, compared with what the
//! Engine itself needs for as many starts and first answers.

use super::{
    Args, Ask, Connections, Faults, Project, Recipe, ShowError, Table, Traffic,
    deployer::Ended,
    project::LIMIT,
    recipe::REPLICAS,
    table::median,
    traffic::{cells, note, seconds},
};
use deploy_core::model::{Event, Op};
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// How many interleaved runs.
const RUNS: usize = 10;
/// The largest ratio that is good.
const RATIO: f64 = 1.5;

pub(super) async fn show(project: &Project, args: &Args) -> Result<bool, ShowError> {
    let mut good = true;
    for strategy in ["rolling", "blue-green"].into_iter().filter(|strategy| args.wants(strategy)) {
        good &= compare(project, args, strategy).await?;
    }
    Ok(good)
}

async fn compare(project: &Project, args: &Args, strategy: &str) -> Result<bool, ShowError> {
    let title = format!("Time until all traffic is on the new version, {strategy}, all at once");
    let columns = ["run", "bare s", "switched s", "ratio", "exit s", "sent___", "lost", "gap ms", "late ms"];
    let mut table = Table::new(&title, &columns);
    let mut serving = project.next_version();
    project.deploy(&Recipe::good(&serving), strategy).await?;
    let (mut bare, mut switched, mut phases) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=args.runs.unwrap_or(RUNS) {
        let recipe = Recipe::good(project.next_version());
        project.write(&recipe).await?;
        let traffic = Traffic::outside(project, args.rate, Connections::Kept).await?;
        let without = project.place().bare_starts(REPLICAS, &recipe).await?;
        let (ended, until) = until_switched(project, strategy, &traffic, &serving).await?;
        let report = traffic.stop().await?;
        let mut faults = Faults::default();
        faults.unless(ended.code() == 0, || format!("status {}: {}", ended.code(), ended.said()));
        note(&report, args.gap, &mut faults);
        let ratio = until.as_secs_f64() / without.as_secs_f64();
        let first = [run.to_string(), seconds(without), seconds(until), format!("{ratio:.2}"), seconds(ended.took)];
        table.row(&first.into_iter().chain(cells(&report)).collect::<Vec<_>>(), &faults);
        bare.push(without.as_secs_f64());
        switched.push(until.as_secs_f64());
        phases.push(breakdown(&ended, until));
        serving = recipe.version;
    }
    let ratio = median(&switched) / median(&bare);
    let mut faults = Faults::default();
    faults.unless(ratio <= RATIO, || format!("expected at most {RATIO}"));
    let medians = [median(&bare), median(&switched)].map(|time| format!("{time:.2}"));
    let [without, until] = medians;
    table.row(&["all".into(), without, until, format!("{ratio:.2}")], &faults);
    print(&phases);
    Ok(table.finish())
}

/// Deploys, and watches when the old version gave its last answer.
async fn until_switched(
    project: &Project,
    strategy: &str,
    traffic: &Traffic,
    old: &str,
) -> Result<(Ended, Duration), ShowError> {
    let began = Instant::now();
    let mut deployment = std::pin::pin!(project.start(&Ask::up(strategy))?.finish(LIMIT));
    let mut ticks = interval(Duration::from_millis(5));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut answered, mut last) = (traffic.answered_by(old), Duration::ZERO);
    loop {
        tokio::select! {
            ended = &mut deployment => return Ok((ended?, last)),
            _ = ticks.tick() => {
                let now = traffic.answered_by(old);
                if now != answered {
                    (answered, last) = (now, began.elapsed());
                }
            }
        }
    }
}

/// Names of what a deployment spends its time on, and when each was over, in seconds.
type Breakdown = Vec<(&'static str, f64)>;

/// When each part of a deployment was over, by its journal's events and its traffic.
fn breakdown(ended: &Ended, switched: Duration) -> Breakdown {
    let over = |is_it: &dyn Fn(&Event) -> bool| {
        ended.records().filter(|(_, record)| is_it(&record.event)).last().map(|(at, _)| at.as_secs_f64())
    };
    let step_over = |is_it: fn(&Op) -> bool| {
        over(&|event| matches!(event, Event::StepEnded { step, .. } if ended.op(step).is_some_and(is_it)))
    };
    let first_ensure = ended.records().find_map(|(at, record)| match &record.event {
        Event::StepStarted { step } if matches!(ended.op(step), Some(Op::Ensure { .. })) => Some(at.as_secs_f64()),
        _ => None,
    });
    let parts = [
        ("planned: file, Engine, agent, lease", over(&|event| matches!(event, Event::Planned { .. }))),
        ("stored: configuration and objects", first_ensure),
        ("created and started", step_over(|op| matches!(op, Op::Ensure { .. }))),
        ("seen healthy", step_over(|op| matches!(op, Op::Check { .. }))),
        ("route set and acknowledged", step_over(|op| matches!(op, Op::Route { .. }))),
        ("last answer of the old version", Some(switched.as_secs_f64())),
        ("drained", step_over(|op| matches!(op, Op::Drain { .. }))),
        ("old version stopped", step_over(|op| matches!(op, Op::Remove { .. }))),
        ("ended", over(&|event| matches!(event, Event::Ended(_)))),
        ("exited: pruned, lease given back", Some(ended.took.as_secs_f64())),
    ];
    parts.into_iter().filter_map(|(name, at)| Some((name, at?))).collect()
}

/// Medians of when each part was over, and of how long it took after the one before.
fn print(phases: &[Breakdown]) {
    println!("Where the time goes, medians: over after, and by itself");
    let names = phases.first().into_iter().flatten().map(|(name, _)| *name);
    for name in names {
        let at = |phases: &Breakdown| phases.iter().position(|(found, _)| *found == name);
        let over: Vec<_> = phases.iter().filter_map(|run| at(run).map(|index| run[index].1)).collect();
        let took: Vec<_> = phases
            .iter()
            .filter_map(|run| {
                at(run).map(|index| run[index].1 - index.checked_sub(1).map_or(0.0, |before| run[before].1))
            })
            .collect();
        println!("  {name:<38} {:>7.3} s  {:>+7.3} s", median(&over), median(&took));
    }
}
