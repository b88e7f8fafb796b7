//! Deployments in a row under load: nothing is lost, and there is no gap.

use super::{
    Args, Ask, Connections, Faults, Project, Recipe, ShowError, Table, Traffic,
    deployer::Ended,
    instance::untidy,
    traffic::{self, Judgement, REPEATS, cells, judge, seconds},
};
use deploy_cli::demo::load::Report;

/// How many deployments in a row.
const RUNS: usize = 10;

/// From where requests come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// This machine, through the published port.
    Outside,
    /// Another container, by the service's name.
    Inside,
}

/// A kind of deployment.
struct Case {
    name: &'static str,
    strategy: &'static str,
    batch: Option<u32>,
    /// Whether it may lose nothing.
    judged: bool,
}

const CASES: [Case; 4] = [
    Case { name: "rolling", strategy: "rolling", batch: None, judged: true },
    Case { name: "rolling one by one", strategy: "rolling", batch: Some(1), judged: true },
    Case { name: "blue-green", strategy: "blue-green", batch: None, judged: true },
    Case { name: "recreate", strategy: "recreate", batch: None, judged: false },
];

pub(super) async fn show(project: &Project, args: &Args) -> Result<bool, ShowError> {
    series(project, args, From::Outside).await
}

/// Shows all cases with requests from there.
pub(super) async fn series(project: &Project, args: &Args, from: From) -> Result<bool, ShowError> {
    let title = match from {
        From::Outside => "Deployments in a row, requests from outside",
        From::Inside => "Deployments in a row, requests from another container by the service's name",
    };
    let columns = ["strategy_____", "connections_", "run", "wall s"];
    let mut table = Table::new(title, &[&columns[..], &traffic::HEADINGS].concat());
    for case in CASES.iter().filter(|case| args.wants(case.name)) {
        let first = Recipe::good(project.next_version()).in_batches_of(case.batch);
        project.deploy(&first, case.strategy).await?;
        for connections in Connections::ALL {
            let runs = if case.judged { args.runs.unwrap_or(RUNS) } else { 1 };
            for run in 1..=runs {
                deployment(project, args, &mut table, case, from, connections, run).await?;
            }
        }
    }
    Ok(table.finish())
}

/// One deployment of a row, repeated while a gap may be the generator's own.
async fn deployment(
    project: &Project,
    args: &Args,
    table: &mut Table,
    case: &Case,
    from: From,
    connections: Connections,
    run: usize,
) -> Result<(), ShowError> {
    for repeat in 0..=REPEATS {
        let recipe = Recipe::good(project.next_version()).in_batches_of(case.batch);
        project.write(&recipe).await?;
        let traffic = match from {
            From::Outside => Traffic::outside(project, args.rate, connections).await?,
            From::Inside => Traffic::inside(project, args.rate, connections).await?,
        };
        let ended = project.run(&Ask::up(case.strategy)).await?;
        let report = traffic.stop().await?;
        let row = row(case, connections, run, &ended, &report);
        if case.judged && judge(&report, args.gap) == Judgement::GeneratorLate && repeat < REPEATS {
            table.aside(&row, "again, because the generator itself was late");
            continue;
        }
        let mut faults = Faults::default();
        faults.unless(ended.code() == 0, || format!("status {}: {}", ended.code(), ended.said()));
        if case.judged {
            traffic::note(&report, args.gap, &mut faults);
        }
        untidy(&project.instances().await?, &recipe.version, &mut faults);
        table.row(&row, &faults);
        break;
    }
    Ok(())
}

fn row(case: &Case, connections: Connections, run: usize, ended: &Ended, report: &Report) -> Vec<String> {
    let first = [case.name.into(), connections.as_str().into(), run.to_string(), seconds(ended.took)];
    first.into_iter().chain(cells(report)).collect()
}
