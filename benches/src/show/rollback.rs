//! The way back to earlier releases: one command, without the files, from another folder.

use super::{
    Args, Ask, Connections, Faults, Project, Recipe, ShowError, Table, Traffic,
    instance::untidy,
    place::TargetName,
    table::median,
    traffic::{self, Judgement, cells, judge, seconds},
};
use std::time::Duration;

/// How often each way back is taken.
const RUNS: usize = 4;

pub(super) async fn show(project: &Project, args: &Args) -> Result<bool, ShowError> {
    let columns = ["what_______", "to_", "wall s"];
    let mut table = Table::new("Rollbacks", &[&columns[..], &traffic::HEADINGS].concat());
    for strategy in ["rolling", "blue-green"].into_iter().filter(|strategy| args.wants(strategy)) {
        ways_back(project, args, &mut table, strategy).await?;
    }
    Ok(table.finish())
}

async fn ways_back(project: &Project, args: &Args, table: &mut Table, strategy: &str) -> Result<(), ShowError> {
    let (mut built, mut there, mut rollbacks) = (Vec::new(), Vec::new(), Vec::new());
    project.deploy(&Recipe::good(project.next_version()), strategy).await?;
    for _ in 0..args.runs.unwrap_or(RUNS) {
        let versions: Vec<_> = (0..3).map(|_| project.next_version()).collect();
        for (index, version) in versions.iter().enumerate() {
            // whoever brings a new version builds or pulls it first; with the image there nothing but starts are compared
            let is_built = index != 1 && args.target == TargetName::Docker;
            let (recipe, what) = match is_built {
                true => (Recipe::good(version).built(), "built, up"),
                false => (Recipe::good(version), "up"),
            };
            project.write(&recipe).await?;
            let took = measured(project, args, table, what, &Ask::up(strategy), version).await?;
            if is_built { &mut built } else { &mut there }.push(took);
        }
        // nothing of the day's files may be needed
        project.forget()?;
        let (first, second, third) = (&versions[0], &versions[1], &versions[2]);
        rollbacks.push(measured(project, args, table, "rollback", &Ask::rollback(None), second).await?);
        for version in [first, third] {
            let ask = Ask::rollback(Some(version));
            rollbacks.push(measured(project, args, table, "rollback VERSION", &ask, version).await?);
        }
    }
    let of = |times: &[Duration]| median(&times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>());
    let (deployment, rollback) = (of(if built.is_empty() { &there } else { &built }), of(&rollbacks));
    let mut faults = Faults::default();
    faults.unless(rollback < deployment, || "expected less than a deployment".into());
    let ups = format!("up: {deployment:.2}, image there: {:.2}", of(&there));
    let row = [format!("medians, {strategy}"), String::new(), format!("{rollback:.2}"), ups];
    table.row(&row, &faults);
    Ok(())
}

/// One command that must end with `version`. How long it took.
async fn measured(
    project: &Project,
    args: &Args,
    table: &mut Table,
    what: &str,
    ask: &Ask,
    version: &str,
) -> Result<Duration, ShowError> {
    let traffic = Traffic::outside(project, args.rate, Connections::Kept).await?;
    let ended = project.run(ask).await?;
    let report = traffic.stop().await?;
    let first = [what.to_owned(), version.to_owned(), seconds(ended.took)];
    let row: Vec<_> = first.into_iter().chain(cells(&report)).collect();
    if judge(&report, args.gap) == Judgement::GeneratorLate {
        table.aside(&row, "not judged, because the generator itself was late");
        return Ok(ended.took);
    }
    let mut faults = Faults::default();
    faults.unless(ended.code() == 0, || format!("status {}: {}", ended.code(), ended.said()));
    traffic::note(&report, args.gap, &mut faults);
    untidy(&project.instances().await?, version, &mut faults);
    table.row(&row, &faults);
    Ok(ended.took)
}
