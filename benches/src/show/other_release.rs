//! The deployer is killed after each record of its journal, and then another release is deployed: the interrupted one is
//! taken back first, and never are there three versions side by side.

use super::{
    Args, Ask, Connections, Faults, Project, Recipe, ShowError, Table, Traffic,
    cut::{Cut, cut_short, last_record, sample},
    deployer::Ended,
    instance::untidy,
    place::Place,
    traffic::{self, Judgement, REPEATS, cells, judge, seconds},
};
use std::{collections::BTreeSet, collections::HashMap, time::Duration};
use tokio::{sync::oneshot, task::JoinHandle, time::sleep};

pub(super) async fn show(project: &Project, args: &Args) -> Result<bool, ShowError> {
    let mut good = true;
    for strategy in ["rolling", "blue-green"].into_iter().filter(|strategy| args.wants(strategy)) {
        let title = format!("Killed, and then another release: {strategy}");
        let columns = ["killed after record______", "status", "other s", "most"];
        let mut table = Table::new(&title, &[&columns[..], &traffic::HEADINGS].concat());
        project.deploy(&Recipe::good(project.next_version()), strategy).await?;
        let whole = project.deploy(&Recipe::good(project.next_version()), strategy).await?;
        for seq in sample(1, whole.last_seq(), args.runs, args.seed) {
            row(project, args, &mut table, strategy, (&whole, seq)).await?;
        }
        good &= table.finish();
    }
    Ok(good)
}

/// One kill, repeated while a gap may be the generator's own.
async fn row(
    project: &Project,
    args: &Args,
    table: &mut Table,
    strategy: &str,
    (whole, seq): (&Ended, u64),
) -> Result<(), ShowError> {
    for repeat in 0..=REPEATS {
        let (interrupted, other) = (project.next_version(), project.next_version());
        project.write(&Recipe::good(&interrupted)).await?;
        let traffic = Traffic::outside(project, args.rate, Connections::Kept).await?;
        let versions = Versions::watch(project.place().clone());
        let (first, killed) = cut_short(project, &Ask::up(strategy), Cut::Record(seq)).await?;
        project.write(&Recipe::good(&other)).await?;
        let second = project.run(&Ask::up(strategy).elsewhere()).await?;
        let most = versions.most().await;
        let report = traffic.stop().await?;
        let cells_of = cells(&report);
        let row = [
            last_record(Cut::Record(seq), &first, whole),
            second.code().to_string(),
            seconds(second.took),
            most.len().to_string(),
        ];
        let row: Vec<_> = row.into_iter().chain(cells_of).collect();
        if judge(&report, args.gap) == Judgement::GeneratorLate && repeat < REPEATS {
            table.aside(&row, "again, because the generator itself was late");
            continue;
        }
        let mut faults = Faults::default();
        faults.unless(second.code() == 0, || format!("status {}: {}", second.code(), second.said()));
        faults.unless(most.len() <= 2, || {
            format!("ran side by side: {}", most.into_iter().collect::<Vec<_>>().join(", "))
        });
        traffic::note(&report, args.gap, &mut faults);
        untidy(&project.instances().await?, &other, &mut faults);
        match (killed, faults.is_empty()) {
            (false, true) => table.aside(&row, "it had ended before"),
            _ => table.row(&row, &faults),
        }
        if !faults.is_empty() {
            project.reset().await?;
            project.deploy(&Recipe::good(project.next_version()), strategy).await?;
        }
        break;
    }
    Ok(())
}

/// Watches which versions run.
struct Versions {
    stop: oneshot::Sender<()>,
    watching: JoinHandle<BTreeSet<String>>,
}

impl Versions {
    fn watch(place: Place) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let watching = tokio::spawn(async move {
            let (mut most, mut known) = (BTreeSet::new(), HashMap::new());
            loop {
                // a look that fails is made up for by the next one
                if let Ok(running) = place.running_versions(&mut known).await
                    && running.len() > most.len()
                {
                    most = running;
                }
                tokio::select! {
                    _ = &mut stopped => return most,
                    () = sleep(Duration::from_millis(100)) => {}
                }
            }
        });
        Self { stop, watching }
    }

    /// The most versions that ran at one time.
    async fn most(self) -> BTreeSet<String> {
        drop(self.stop);
        self.watching.await.unwrap_or_default()
    }
}
