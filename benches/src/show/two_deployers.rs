//! Two deployers at once: the second waits and shows the holder; and one that was frozen past its lease, just before it
//! would have taken something away, does no harm when it wakes up.

use super::{
    Args, Ask, Connections, Faults, Project, Recipe, ShowError, Table, Traffic,
    deployer::{Deployer, Ended, Heard},
    instance::untidy,
    project::LIMIT,
    traffic::{self, Judgement, REPEATS, cells, judge, seconds},
};
use deploy_core::{
    model::{Event, Op, Plan, StepId},
    observer::Progress,
};
use std::time::Duration;
use tokio::time::sleep;

/// How long one that woke up has for mischief, after its process has ended.
const AFTERMATH: Duration = Duration::from_secs(2);

/// A deployment that is frozen.
struct Case {
    name: &'static str,
    strategy: &'static str,
    batch: Option<u32>,
    /// Whether nobody answers while the deployer is frozen, until its lease has expired: the old release has left the routes.
    has_gap: bool,
}

const CASES: [Case; 4] = [
    Case::of("rolling", "rolling"),
    Case { batch: Some(1), ..Case::of("rolling one by one", "rolling") },
    Case::of("blue-green", "blue-green"),
    Case { has_gap: true, ..Case::of("recreate", "recreate") },
];

impl Case {
    const fn of(name: &'static str, strategy: &'static str) -> Self {
        Self { name, strategy, batch: None, has_gap: false }
    }
}

/// What the other deployer does meanwhile.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Other {
    Abort,
    Release,
}

impl Other {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Release => "other release",
        }
    }
}

pub(super) async fn show(project: &Project, args: &Args) -> Result<bool, ShowError> {
    let mut good = true;
    if args.wants("waits") {
        good &= waits(project, args).await?;
    }
    let cases: Vec<_> = CASES.iter().filter(|case| args.wants(case.name)).collect();
    if !cases.is_empty() {
        good &= freezes(project, args, &cases).await?;
    }
    Ok(good)
}

/// One is frozen before each removal, and wakes up after another has taken over.
async fn freezes(project: &Project, args: &Args, cases: &[&Case]) -> Result<bool, ShowError> {
    let columns = ["frozen______", "at_________", "other______", "status", "other s", "woken"];
    let mut table = Table::new("Frozen past its lease, and woken up", &[&columns[..], &traffic::HEADINGS].concat());
    for case in cases {
        let good = |version: String| Recipe::good(version).in_batches_of(case.batch);
        project.deploy(&good(project.next_version()), case.strategy).await?;
        let whole = project.deploy(&good(project.next_version()), case.strategy).await?;
        let mut serving = None;
        for removal in removals(&whole).into_iter().take(args.runs.unwrap_or(usize::MAX)) {
            for other in [Other::Abort, Other::Release] {
                serving = Some(frozen(project, args, &mut table, case, &removal, other, serving).await?);
            }
        }
    }
    Ok(table.finish())
}

/// The second waits for the first, and says who that is.
async fn waits(project: &Project, args: &Args) -> Result<bool, ShowError> {
    let columns = ["holder shown__________", "first", "second", "waited s"];
    let mut table = Table::new("Two deployers at once", &[&columns[..], &traffic::HEADINGS].concat());
    project.deploy(&Recipe::good(project.next_version()), "rolling").await?;
    for _ in 0..args.runs.unwrap_or(3) {
        let traffic = Traffic::outside(project, args.rate, Connections::Kept).await?;
        project.write(&Recipe::good(project.next_version())).await?;
        let mut first = project.start(&Ask::up("rolling"))?;
        let pid = first.pid();
        first.until(LIMIT, |heard| heard.record().is_some()).await?;
        let version = project.next_version();
        project.write(&Recipe::good(&version)).await?;
        let second = project.start(&Ask::up("rolling").elsewhere())?;
        let (first, second) = tokio::try_join!(first.finish(LIMIT), second.finish(LIMIT))?;
        let report = traffic.stop().await?;

        let held: Vec<_> = second.heard.iter().filter_map(holder).collect();
        let shown = held.first().map_or_else(|| "nobody".into(), |(_, holder)| (*holder).to_owned());
        let waited = match (held.first(), held.last()) {
            (Some((from, _)), Some((to, _))) => *to - *from,
            _ => Duration::ZERO,
        };
        let row = [shown.clone(), first.code().to_string(), second.code().to_string(), seconds(waited)];
        let row: Vec<_> = row.into_iter().chain(cells(&report)).collect();
        let mut faults = Faults::default();
        faults.unless(shown.contains(&pid.to_string()), || format!("expected process {pid} to be shown"));
        for (which, ended) in [("first", &first), ("second", &second)] {
            faults.unless(ended.code() == 0, || format!("status {} of the {which}: {}", ended.code(), ended.said()));
        }
        if judge(&report, args.gap) != Judgement::GeneratorLate {
            traffic::note(&report, args.gap, &mut faults);
        }
        untidy(&project.instances().await?, &version, &mut faults);
        table.row(&row, &faults);
    }
    Ok(table.finish())
}

fn holder(heard: &Heard) -> Option<(Duration, &str)> {
    match heard.progress()? {
        Progress::LeaseHeld { holder, .. } => Some((heard.at, holder)),
        _ => None,
    }
}

/// The steps that take something away from the old release: those that remove it or leave fewer of it.
fn removals(whole: &Ended) -> Vec<StepId> {
    let takes_away = |plan: &Plan, op: &Op| match op {
        Op::Remove { .. } => true,
        Op::Ensure { workload, .. } => plan.releases().all(|release| release.id != workload.release),
        _ => false,
    };
    let plan = whole.plans().next();
    let steps = plan.into_iter().flat_map(|plan| plan.steps.iter().filter(|step| takes_away(plan, &step.op)));
    steps.map(|step| step.id.clone()).collect()
}

/// One deployer is frozen as it begins a removal; another takes over; the first wakes up. What serves then.
async fn frozen(
    project: &Project,
    args: &Args,
    table: &mut Table,
    case: &Case,
    removal: &StepId,
    other: Other,
    serving: Option<String>,
) -> Result<String, ShowError> {
    let good = |version: &str| Recipe::good(version).in_batches_of(case.batch);
    let mut serving = match serving {
        Some(serving) => serving,
        None => {
            let version = project.next_version();
            project.deploy(&good(&version), case.strategy).await?;
            version
        }
    };
    for repeat in 0..=REPEATS {
        let traffic = Traffic::outside(project, args.rate, Connections::Kept).await?;
        project.write(&good(&project.next_version())).await?;
        let mut sleeper = project.start(&Ask::up(case.strategy))?;
        let begins = |heard: &Heard| {
            heard.record().is_some_and(|record| matches!(&record.event, Event::StepStarted { step } if step == removal))
        };
        if !sleeper.until(LIMIT, begins).await? {
            return Err(ShowError::Unexpected {
                what: format!("freeze a deployer at {removal}"),
                expected: "that step".into(),
                found: sleeper.finish(LIMIT).await?.said(),
            });
        }
        sleeper.freeze()?;
        let (ended, woken) = take_over(project, &mut serving, &good, case, other, sleeper).await?;
        let report = traffic.stop().await?;

        let row = [
            case.name.into(),
            removal.to_string(),
            other.as_str().into(),
            ended.code().to_string(),
            seconds(ended.took),
            woken.code().to_string(),
        ];
        let row: Vec<_> = row.into_iter().chain(cells(&report)).collect();
        if judge(&report, args.gap) == Judgement::GeneratorLate && repeat < REPEATS {
            table.aside(&row, "again, because the generator itself was late");
            continue;
        }
        let mut faults = Faults::default();
        faults.unless(ended.code() == 0, || format!("status {}: {}", ended.code(), ended.said()));
        faults.unless(woken.code() != 0, || "the one that woke up took it for a success".into());
        if !case.has_gap {
            traffic::note(&report, args.gap, &mut faults);
        }
        untidy(&project.instances().await?, &serving, &mut faults);
        table.row(&row, &faults);
        if !faults.is_empty() {
            project.reset().await?;
            serving = project.next_version();
            project.deploy(&good(&serving), case.strategy).await?;
        }
        break;
    }
    Ok(serving)
}

/// Another deployer goes back or on; then the frozen one wakes up and ends.
async fn take_over(
    project: &Project,
    serving: &mut String,
    good: &impl Fn(&str) -> Recipe,
    case: &Case,
    other: Other,
    sleeper: Deployer,
) -> Result<(Ended, Ended), ShowError> {
    let ask = match other {
        Other::Abort => Ask::abort(),
        Other::Release => {
            *serving = project.next_version();
            project.write(&good(serving)).await?;
            Ask::up(case.strategy).elsewhere()
        }
    };
    let ended = project.run(&ask).await?;
    sleeper.wake()?;
    let woken = sleeper.finish(LIMIT).await?;
    sleep(AFTERMATH).await;
    Ok((ended, woken))
}
