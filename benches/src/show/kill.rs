//! The deployer is killed after each record of its journal and at random moments; then the same command runs again, from
//! another folder. After every second random moment it is `deploy resume` instead, and where that has no configuration yet,
//! the command after it.

use super::{
    Args, Ask, Connections, Faults, Project, Recipe, ShowError, Table, Traffic,
    cut::{Cut, cut_short, last_record, sample},
    deployer::Ended,
    instance::untidy,
    project::Last,
    traffic::{self, Judgement, REPEATS, cells, judge, seconds},
};
use deploy_core::model::Event;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// How long a new version is watched, where it is to be taken back.
const BAKE: &str = "20s";
/// In the bake.
const UNHEALTHY: &str = "unhealthy-after:2500";

/// What is interrupted.
struct Scene {
    name: &'static str,
    strategy: &'static str,
    batch: Option<u32>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A deployment of a good version.
    Forward,
    /// The way back from a bad one.
    Unwind,
    /// The deployment of the release before.
    Rollback,
}

const SCENES: [Scene; 7] = [
    Scene { name: "rolling", strategy: "rolling", batch: None, kind: Kind::Forward },
    Scene { name: "rolling one by one", strategy: "rolling", batch: Some(1), kind: Kind::Forward },
    Scene { name: "blue-green", strategy: "blue-green", batch: None, kind: Kind::Forward },
    Scene { name: "recreate", strategy: "recreate", batch: None, kind: Kind::Forward },
    Scene { name: "unwind rolling", strategy: "rolling", batch: None, kind: Kind::Unwind },
    Scene { name: "unwind blue-green", strategy: "blue-green", batch: None, kind: Kind::Unwind },
    Scene { name: "rollback", strategy: "rolling", batch: None, kind: Kind::Rollback },
];

/// A scene that plays on a project.
struct Play<'a> {
    project: &'a Project,
    args: &'a Args,
    table: Table,
    scene: &'static Scene,
    serving: String,
    before: String,
}

/// What is done next, and what it must come to.
struct Act {
    ask: Ask,
    version: String,
    status: i32,
}

pub(super) async fn show(project: &Project, args: &Args) -> Result<bool, ShowError> {
    let mut good = true;
    let scenes: Vec<_> = SCENES.iter().filter(|scene| args.wants(scene.name)).collect();
    let moments = args.moments.checked_div(scenes.len()).unwrap_or_default();
    for scene in scenes {
        let columns = ["killed after record______", "at s_", "status", "again s"];
        let table = Table::new(&format!("Killed: {}", scene.name), &[&columns[..], &traffic::HEADINGS].concat());
        let (serving, before) = (String::new(), String::new());
        let mut play = Play { project, args, table, scene, serving, before };
        play.begin().await?;
        play.all(moments).await?;
        good &= play.table.finish();
    }
    Ok(good)
}

impl Play<'_> {
    /// Two releases, one of which serves.
    async fn begin(&mut self) -> Result<(), ShowError> {
        for _ in 0..2 {
            let version = self.project.next_version();
            let recipe = Recipe::good(&version).in_batches_of(self.scene.batch);
            self.project.deploy(&recipe, self.scene.strategy).await?;
            self.before = std::mem::replace(&mut self.serving, version);
        }
        Ok(())
    }

    async fn all(&mut self, moments: usize) -> Result<(), ShowError> {
        let act = self.act().await?;
        let whole = self.project.run(&act.ask).await?;
        if whole.code() != act.status {
            return Err(ShowError::Unexpected {
                what: format!("see {} undisturbed", self.scene.name),
                expected: format!("exit status {}", act.status),
                found: format!("{}: {}", whole.code(), whole.said()),
            });
        }
        self.becomes(act.version);
        let first = match self.scene.kind {
            Kind::Unwind => unwinding(&whole),
            Kind::Forward | Kind::Rollback => 1,
        };
        println!("  undisturbed: {} records, {} s", whole.last_seq(), seconds(whole.took));
        for seq in sample(first, whole.last_seq(), self.args.runs, self.args.seed) {
            self.row(&whole, Cut::Record(seq), false).await?;
        }
        let mut random = StdRng::seed_from_u64(self.args.seed);
        for moment in 0..moments {
            let time = whole.took.mul_f64(random.random_range(0.0..1.0));
            self.row(&whole, Cut::Moment(time), moment % 2 == 1).await?;
        }
        Ok(())
    }

    /// The next command, and what it must come to.
    async fn act(&mut self) -> Result<Act, ShowError> {
        let strategy = self.scene.strategy;
        let act = match self.scene.kind {
            Kind::Forward => {
                let version = self.project.next_version();
                self.project.write(&Recipe::good(&version).in_batches_of(self.scene.batch)).await?;
                Act { ask: Ask::up(strategy), version, status: 0 }
            }
            Kind::Unwind => {
                let version = self.project.next_version();
                self.project.write(&Recipe::broken(&version, UNHEALTHY)).await?;
                Act { ask: Ask::up(strategy).bake(BAKE), version: self.serving.clone(), status: 3 }
            }
            Kind::Rollback => Act { ask: Ask::rollback(None), version: self.before.clone(), status: 0 },
        };
        Ok(act)
    }

    fn becomes(&mut self, version: String) {
        if version != self.serving {
            self.before = std::mem::replace(&mut self.serving, version);
        }
    }

    /// One kill, repeated while a gap may be the generator's own.
    async fn row(&mut self, whole: &Ended, cut: Cut, by_resume: bool) -> Result<(), ShowError> {
        for repeat in 0..=REPEATS {
            let act = self.act().await?;
            let before = self.project.last().await?;
            let traffic = Traffic::outside(self.project, self.args.rate, Connections::Kept).await?;
            let (first, killed) = cut_short(self.project, &act.ask, cut).await?;
            let left = Left::of(&before, &self.project.last().await?);
            let again = match left {
                // another rollback would go back to what served before this one
                Left::Over if self.scene.kind == Kind::Rollback => None,
                Left::Interrupted if by_resume => Some(Ask::resume()),
                _ => Some(act.ask.clone().elsewhere()),
            };
            let mut again = match again {
                Some(ask) => Some(self.project.run(&ask).await?),
                None => None,
            };
            // before its configuration was stored, a release can't be had without its file
            if by_resume && again.as_ref().is_some_and(Ended::is_cancelled) {
                again = Some(self.project.run(&act.ask.clone().elsewhere()).await?);
            }
            let report = traffic.stop().await?;
            let status = again.as_ref().map_or(first.code(), Ended::code);
            let again_took = again.as_ref().map_or_else(|| "-".into(), |again| seconds(again.took));
            let cells = cells(&report);
            let row = [last_record(cut, &first, whole), seconds(first.took), status.to_string(), again_took];
            let row: Vec<_> = row.into_iter().chain(cells).collect();

            let judged = self.scene.strategy != "recreate";
            if judged && judge(&report, self.args.gap) == Judgement::GeneratorLate && repeat < REPEATS {
                self.table.aside(&row, "again, because the generator itself was late");
                self.becomes(act.version);
                continue;
            }
            let mut faults = Faults::default();
            if let Some(again) = &again {
                faults.unless(status == act.status, || format!("expected status {}: {}", act.status, again.said()));
            }
            if judged {
                traffic::note(&report, self.args.gap, &mut faults);
            }
            untidy(&self.project.instances().await?, &act.version, &mut faults);
            let ended_first = !killed && left == Left::Over;
            faults.unless(killed || ended_first, || {
                format!("it ended by itself, with status {}: {}", first.code(), first.said())
            });
            match (killed, faults.is_empty()) {
                (false, true) => self.table.aside(&row, "it had ended before"),
                _ => self.table.row(&row, &faults),
            }
            self.becomes(act.version);
            if !faults.is_empty() {
                self.project.reset().await?;
                self.begin().await?;
            }
            break;
        }
        Ok(())
    }
}

/// The record with which the way back began.
fn unwinding(ended: &Ended) -> u64 {
    let mut records = ended.records();
    records.find(|(_, record)| matches!(record.event, Event::Unwinding { .. })).map_or(1, |(_, record)| record.seq)
}

/// Where a deployment was left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Before its plan.
    Nowhere,
    /// On its way.
    Interrupted,
    /// At its end.
    Over,
}

impl Left {
    fn of(before: &Last, now: &Last) -> Self {
        match &now.end {
            _ if now.deployment == before.deployment => Self::Nowhere,
            Some(_) => Self::Over,
            None => Self::Interrupted,
        }
    }
}
