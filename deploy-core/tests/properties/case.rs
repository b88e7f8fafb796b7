use deploy_core::{
    model::{Batch, Clocks, Count, Millis, Named, Object, ObjectRef, Order, Release, ServiceSpec},
    strategy::{Strategy, by_name},
    testing::{Behaviour, SimSettings, SimWorld, faults::Fault, loops::SimScene},
};
use proptest::{prelude::*, strategy::Strategy as Generator};
use serde_json::json;

/// Which call of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    /// Of all calls, from 0.
    Call(usize),
    /// Of those that change something, from 0.
    Change(usize),
}

/// A random world, what is deployed into it, and what goes wrong.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    cluster: bool,
    notices: bool,
    seed: u64,
    /// How many instances of the old release run, if any.
    old: Option<u32>,
    /// How many instances of the new release lie there kept, if any.
    kept: Option<u32>,
    pub(crate) count: u32,
    strategy: &'static str,
    order: Order,
    batch: u32,
    new: Behaviour,
    bake: Millis,
    object: bool,
    /// What goes wrong in the runs before the last one, and at which of their calls.
    pub(crate) runs: Vec<(At, Fault)>,
    /// Whether a run that finds the one before interrupted goes back, instead of carrying on.
    pub(crate) goes_back: bool,
    /// What the owner of the counts asks for, and when.
    scaled: Option<(Millis, u32)>,
}

fn behaviour() -> impl Generator<Value = Behaviour> {
    prop_oneof![
        4 => Just(Behaviour::GOOD),
        1 => Just(Behaviour::never_healthy()),
        1 => Just(Behaviour::exits_at_once()),
        1 => Just(Behaviour::exits_at_once().restarting()),
        1 => (400..4000_u64).prop_map(|after| Behaviour::sick_after(Millis(after))),
        1 => (400..4000_u64).prop_map(|after| Behaviour::dies_after(Millis(after))),
    ]
}

fn fault() -> impl Generator<Value = Fault> {
    prop_oneof![
        1 => Just(Fault::FailBefore),
        1 => Just(Fault::FailAfter),
        3 => Just(Fault::Refuse),
        1 => Just(Fault::Twice),
        1 => Just(Fault::CrashBefore),
        1 => (0..80_u64).prop_map(|after| Fault::CrashDuring(Millis(after))),
        1 => Just(Fault::CrashAfter),
        1 => Just(Fault::Late(Millis::from_secs(3))),
    ]
}

pub(crate) fn case() -> impl Generator<Value = Case> {
    let world = (any::<bool>(), any::<bool>(), any::<u64>(), prop::option::weighted(0.8, 1..=4_u32));
    let wanted = (
        prop::option::weighted(0.2, 1..=4_u32),
        prop::option::of(1..=4_u32),
        prop::sample::select(vec!["rolling", "blue-green", "recreate"]),
        prop_oneof![2 => Just(Order::StartFirst), 1 => Just(Order::StopFirst)],
        1..=4_u32,
        behaviour(),
        prop::sample::select(vec![Millis::ZERO, Millis(1500)]),
        any::<bool>(),
    );
    // between a look and what is made of it, or at any time
    let scaled = (prop_oneof![0..100_u64, 0..4000_u64], 1..=4_u32);
    let at = prop_oneof![(0..120_usize).prop_map(At::Call), (0..15_usize).prop_map(At::Change)];
    let runs = prop::collection::vec((at, fault()), 0..=3);
    let wrong = (runs, any::<bool>(), prop::option::weighted(0.4, scaled));
    (world, wanted, wrong).prop_map(|(world, wanted, wrong)| {
        let (cluster, notices, seed, old) = world;
        let (kept, count, strategy, order, batch, new, bake, object) = wanted;
        let (runs, goes_back, scaled) = wrong;
        // as many as before, or others
        let count = count.or(old).unwrap_or(2);
        let scaled = scaled.map(|(at, count)| (Millis(at), count)).filter(|_| cluster);
        Case {
            cluster,
            notices,
            seed,
            old,
            kept,
            count,
            strategy,
            order,
            batch,
            new,
            bake,
            object,
            runs,
            goes_back,
            scaled,
        }
    })
}

pub(crate) fn release(id: &str) -> Release {
    Release { id: id.into(), service: "web".into(), version: String::new(), artifact: "an image".into() }
}

impl Case {
    pub(crate) fn strategy(&self) -> &'static dyn Strategy {
        by_name(self.strategy).unwrap()
    }

    /// Whether nothing is wrong with the new release.
    pub(crate) fn is_good(&self) -> bool {
        self.new == Behaviour::GOOD
    }

    /// Whether the owner of the counts changes them meanwhile.
    pub(crate) fn is_scaled(&self) -> bool {
        self.scaled.is_some()
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.cluster
    }

    pub(crate) fn scene(&self) -> SimScene {
        let settings = if self.cluster { SimSettings::cluster() } else { SimSettings::host() }.seeded(self.seed);
        let world = SimWorld::new(SimSettings { notices_death: self.notices, ..settings });
        world.behave(&"web-2".into(), self.new);
        if let Some(old) = self.old {
            world.runs(&release("web-1"), old);
            world.promise(&"web".into(), self.promised(old));
        }
        if let Some(kept) = self.kept {
            world.keeps(&release("web-2"), kept);
        }
        if let Some((at, count)) = self.scaled {
            world.counts(&"web".into(), at, count);
        }
        SimScene::new(world.clone(), self.strategy(), vec![self.spec(&world)])
    }

    /// What the strategy promises of an old release of that many instances.
    fn promised(&self, old: u32) -> u32 {
        match (self.strategy, self.cluster, self.order) {
            ("recreate", ..) => 0,
            // nobody's counts but its own
            (_, true, Order::StartFirst) => old,
            (_, false, Order::StartFirst) => old.min(self.count),
            ("rolling", cluster, Order::StopFirst) if !self.is_scaled() && (cluster || old == self.count) => {
                old.saturating_sub(self.batch)
            }
            (_, _, Order::StopFirst) => 0,
        }
    }

    pub(crate) fn spec(&self, world: &SimWorld) -> ServiceSpec {
        // a cluster that stops first takes its time with each instance: it stops when nothing is sent there any more
        let patience = Millis::from_secs(if self.cluster { 30 } else { 3 });
        let network = ObjectRef { target: "sim".into(), kind: "network".into(), name: "front".into() };
        ServiceSpec {
            release: release("web-2"),
            count: if self.cluster { Count::Leave } else { Count::Exactly(self.count) },
            router: Some(world.router_id()),
            order: self.order,
            batch: Batch::Size(self.batch),
            check: Named::new("own", json!({})),
            clocks: Clocks { healthy_by: patience, progress_by: patience, ..Clocks::default() },
            smoke: Vec::new(),
            bake: self.bake,
            drain_by: Millis::from_secs(10),
            stop_by: Millis::from_secs(10),
            needs: Vec::new(),
            lives_in: Vec::new(),
            objects: self.object.then(|| Object { object: network, spec: json!({}) }).into_iter().collect(),
            keep_failed: false,
            notes: Vec::new(),
        }
    }
}
