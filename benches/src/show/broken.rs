//! Versions that are no good: the old one never stops serving, and what went wrong is named.

use super::{
    Args, Ask, Connections, Faults, Instance, Project, Recipe, ShowError, Table, Traffic,
    deployer::Ended,
    free_port,
    instance::names,
    place::TargetName,
    recipe::Image,
    traffic::{self, Judgement, REPEATS, cells, judge, seconds},
};
use std::{collections::BTreeSet, net::TcpListener};

/// How long a new version is watched before the old one leaves.
const BAKE: &str = "6s";

/// A way to be no good.
struct Case {
    name: &'static str,
    fault: Option<&'static str>,
    restart: Option<&'static str>,
    bake: bool,
    what: What,
    /// Whether requests may be lost: those that are in flight at an instance when it crashes.
    may_lose: bool,
    /// One of these must stand in the message: it names the cause.
    cause: &'static [&'static str],
}

/// What a version lacks beside its behaviour.
#[derive(PartialEq, Eq)]
enum What {
    Nothing,
    Image,
    Port,
}

const CASES: [Case; 7] = [
    Case::of("exits at once", "exit", &["exited with status 1"]),
    Case { restart: Some("always"), ..Case::of("exits, restart: always", "exit", &["exited with status 1"]) },
    Case { bake: true, ..Case::of("unhealthy in the bake", "unhealthy-after:2500", &["unhealthy", "500"]) },
    Case {
        bake: true,
        may_lose: true,
        ..Case::of("crashes in the bake", "crash-after:2500", &["exited with status 1"])
    },
    Case { fault: None, what: What::Image, ..Case::of("image missing", "", &["image"]) },
    Case { fault: None, what: What::Port, ..Case::of("port taken", "", &["of the host to be free"]) },
    Case::of("never healthy", "unhealthy", &["unhealthy", "500"]),
];

impl Case {
    const fn of(name: &'static str, fault: &'static str, cause: &'static [&'static str]) -> Self {
        Self { name, fault: Some(fault), restart: None, bake: false, what: What::Nothing, may_lose: false, cause }
    }

    /// Child processes have no image, no further ports and no restart policy.
    fn fits(&self, target: TargetName) -> bool {
        target == TargetName::Docker || (self.what == What::Nothing && self.restart.is_none())
    }
}

pub(super) async fn show(project: &Project, args: &Args) -> Result<bool, ShowError> {
    let columns = ["case_________", "strategy_", "status", "gave up s"];
    let mut table = Table::new("Broken versions", &[&columns[..], &traffic::HEADINGS].concat());
    for strategy in ["rolling", "blue-green"] {
        let serving = project.next_version();
        project.deploy(&Recipe::good(&serving), strategy).await?;
        for case in CASES.iter().filter(|case| args.wants(case.name) && case.fits(args.target)) {
            for _ in 0..args.runs.unwrap_or(1) {
                attempt(project, args, &mut table, strategy, case).await?;
            }
        }
    }
    Ok(table.finish())
}

async fn attempt(
    project: &Project,
    args: &Args,
    table: &mut Table,
    strategy: &str,
    case: &Case,
) -> Result<(), ShowError> {
    for repeat in 0..=REPEATS {
        let taken = TcpListener::bind(("127.0.0.1", free_port()?)).map_err(ShowError::io("take a port"))?;
        let port = taken.local_addr().map_err(ShowError::io("take a port"))?.port();
        let recipe = Recipe {
            fault: case.fault.map(Into::into),
            restart: case.restart.map(Into::into),
            image: if case.what == What::Image { Image::Missing } else { Image::There },
            further_port: (case.what == What::Port).then_some(port),
            ..Recipe::good(project.next_version())
        };
        project.write(&recipe).await?;
        let before = Scene::of(project).await?;
        let traffic = Traffic::outside(project, args.rate, Connections::Kept).await?;
        let up = Ask::up(strategy).plain();
        let ended = project.run(&if case.bake { up.bake(BAKE) } else { up }).await?;
        let report = traffic.stop().await?;
        let first = [case.name.into(), strategy.into(), ended.code().to_string(), seconds(ended.took)];
        let row: Vec<_> = first.into_iter().chain(cells(&report)).collect();
        if judge(&report, args.gap) == Judgement::GeneratorLate && repeat < REPEATS {
            table.aside(&row, "again, because the generator itself was late");
            continue;
        }
        let mut faults = Faults::default();
        faults.unless(ended.code() != 0, || "expected a status that isn't 0".into());
        if !case.may_lose {
            traffic::note(&report, args.gap, &mut faults);
        }
        compare(&before, &Scene::of(project).await?, &mut faults);
        let cause = cause(&ended);
        let named = case.cause.iter().any(|words| cause.contains(words));
        faults.unless(named, || format!("the cause isn't named; it said: {}", ended.stderr.trim()));
        table.row(&row, &faults);
        println!("  {cause}");
        break;
    }
    Ok(())
}

/// What is there of the project.
#[derive(Clone)]
struct Scene {
    instances: Vec<Instance>,
    /// Networks and volumes.
    objects: BTreeSet<String>,
}

impl Scene {
    async fn of(project: &Project) -> Result<Self, ShowError> {
        Ok(Self { instances: project.instances().await?, objects: project.place().objects().await? })
    }
}

/// What was there must run on, and nothing may have come.
fn compare(before: &Scene, after: &Scene, faults: &mut Faults) {
    let ids = |scene: &Scene| scene.instances.iter().map(|one| one.id.clone()).collect::<BTreeSet<_>>();
    let new: Vec<_> = after.instances.iter().filter(|one| !ids(before).contains(&one.id)).collect();
    faults.unless(new.is_empty(), || format!("left over: {}", names(&new)));
    let runs = |one: &Instance| after.instances.iter().any(|other| other.id == one.id && other.runs);
    let gone: Vec<_> = before.instances.iter().filter(|one| one.runs && !runs(one)).collect();
    faults.unless(gone.is_empty(), || format!("no longer running: {}", names(&gone)));
    for (what, from, to) in [("left over", after, before), ("no longer there", before, after)] {
        let objects: Vec<_> = from.objects.difference(&to.objects).map(String::as_str).collect();
        faults.unless(objects.is_empty(), || format!("{what}: {}", objects.join(", ")));
    }
}

/// The lines that say why, on one line.
fn cause(ended: &Ended) -> String {
    let lines = ended.stderr.lines();
    let why: Vec<_> = lines
        .skip_while(|line| !line.starts_with("Why"))
        .enumerate()
        .take_while(|(index, line)| *index == 0 || line.starts_with(' '))
        .map(|(_, line)| line.trim())
        .collect();
    // one that failed before anything was changed has no screen
    if why.is_empty() { ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ") } else { why.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(id: &str, runs: bool) -> Instance {
        Instance { id: id.into(), name: id.into(), version: None, runs, kept: !runs }
    }

    fn scene(instances: &[Instance], objects: &[&str]) -> Scene {
        Scene { instances: instances.to_vec(), objects: objects.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn whatever_came_or_stopped_is_a_fault() {
        let (old, kept) = (instance("old", true), instance("kept", false));
        let before = scene(&[old.clone(), kept.clone()], &["network front (1)"]);
        let is_good = |after: &Scene| {
            let mut faults = Faults::default();
            compare(&before, after, &mut faults);
            faults.is_empty()
        };
        assert!(is_good(&before));
        for (instances, objects) in [
            (&[old.clone(), kept.clone(), instance("new", false)][..], &["network front (1)"][..]),
            (&[instance("old", false)], &["network front (1)"]),
            (&[old.clone(), kept.clone()], &["network front (1)", "volume data (2)"]),
            (&[old.clone(), kept.clone()], &[]),
            (&[old.clone(), kept.clone()], &["network front (3)"]),
        ] {
            assert!(!is_good(&scene(instances, objects)), "{instances:?} {objects:?}");
        }
    }
}
