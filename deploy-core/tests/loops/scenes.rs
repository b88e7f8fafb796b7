use deploy_core::{
    engine::{Finish, Options},
    model::{
        BasisPoints, Batch, Clocks, Count, End, Millis, Named, Object, ObjectRef, Order, Release, ReleaseId,
        ServiceSpec,
    },
    strategy::{Recreate, by_name},
    testing::{
        Behaviour, SimSettings, SimWorld,
        loops::{Scene, SimScene},
    },
};
use serde_json::json;

/// One deployment in one world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    cluster: bool,
    /// Whether it is noticed that a deployer is gone.
    notices: bool,
    strategy: &'static str,
    order: Order,
    batch: Batch,
    /// What the new release is like.
    new: Behaviour,
    bake: Millis,
    change: Change,
}

/// What else is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Nothing,
    /// It leaves a network, and its database is another.
    Network,
    /// It leaves a network, and is reached without its proxy.
    Router,
    /// It was reached directly, and comes behind a proxy.
    Entry,
    /// Its proxy is another.
    Front,
    /// Another service lives in its instances.
    Lodger,
}

const GOOD: Setting = Setting {
    cluster: false,
    notices: false,
    strategy: "rolling",
    order: Order::StartFirst,
    batch: Batch::Size(2),
    new: Behaviour::GOOD,
    bake: Millis::ZERO,
    change: Change::Nothing,
};

const BLUE_GREEN: Setting = Setting { strategy: "blue-green", bake: Millis::from_secs(5), ..GOOD };

pub(crate) const SCENES: [Setting; 31] = [
    GOOD,
    Setting { notices: true, order: Order::StopFirst, ..GOOD },
    Setting { batch: Batch::Share(BasisPoints::ALL), ..GOOD },
    Setting { new: Behaviour::never_healthy(), ..GOOD },
    Setting { new: Behaviour::exits_at_once(), ..GOOD },
    BLUE_GREEN,
    Setting { new: Behaviour::sick_after(Millis::from_secs(2)), ..BLUE_GREEN },
    Setting { strategy: "recreate", ..GOOD },
    Setting { cluster: true, ..GOOD },
    Setting { cluster: true, new: Behaviour::never_healthy(), ..GOOD },
    Setting { cluster: true, ..BLUE_GREEN },
    // longer than a lease holds
    Setting { cluster: true, notices: true, bake: Millis::from_secs(40), ..BLUE_GREEN },
    Setting { cluster: true, new: Behaviour::sick_after(Millis::from_secs(9)), ..BLUE_GREEN },
    Setting { change: Change::Network, ..GOOD },
    Setting { change: Change::Network, cluster: true, ..GOOD },
    Setting { change: Change::Router, ..GOOD },
    Setting { change: Change::Router, new: Behaviour::never_healthy(), ..GOOD },
    Setting { change: Change::Router, ..BLUE_GREEN },
    Setting { change: Change::Router, strategy: "recreate", ..GOOD },
    Setting { change: Change::Router, cluster: true, ..GOOD },
    Setting { change: Change::Router, cluster: true, new: Behaviour::never_healthy(), ..BLUE_GREEN },
    Setting { change: Change::Entry, ..GOOD },
    Setting { change: Change::Entry, new: Behaviour::sick_after(Millis::from_secs(2)), ..BLUE_GREEN },
    Setting { change: Change::Entry, order: Order::StopFirst, ..GOOD },
    Setting { change: Change::Entry, cluster: true, ..BLUE_GREEN },
    Setting { change: Change::Front, ..GOOD },
    Setting { change: Change::Front, new: Behaviour::sick_after(Millis::from_secs(2)), ..BLUE_GREEN },
    Setting { change: Change::Front, cluster: true, ..GOOD },
    Setting { change: Change::Lodger, ..GOOD },
    Setting { change: Change::Lodger, order: Order::StopFirst, ..GOOD },
    Setting { change: Change::Lodger, new: Behaviour::sick_after(Millis::from_secs(2)), ..BLUE_GREEN },
];

/// How many instances run.
const COUNT: u32 = 3;

pub(crate) fn release(id: &str) -> Release {
    Release { id: id.into(), service: "web".into(), version: String::new(), artifact: "an image".into() }
}

impl Setting {
    pub(crate) fn is_cluster(&self) -> bool {
        self.cluster
    }

    pub(crate) async fn scene(self) -> Result<SimScene, String> {
        let settings = if self.cluster { SimSettings::cluster() } else { SimSettings::host() };
        let world = SimWorld::new(SimSettings { notices_death: self.notices, ..settings });
        match self.change {
            Change::Nothing => world.runs(&release("web-1"), COUNT),
            // only what was deployed is known to have stood on something
            _ => {
                if self.change == Change::Entry {
                    world.direct(&"web-1".into());
                }
                world.counts(&"web".into(), Millis::ZERO, COUNT);
                let first = SimScene::new(world.clone(), &Recreate, self.services(&world, 1));
                let engine = world.deployer().engine().build();
                let report = engine.deploy(&first.request(), &Recreate, &Options::default()).await;
                let finish = report.map(|report| report.finish).map_err(|error| error.to_string())?;
                if finish != Finish::Ended(End::Succeeded) {
                    return Err(format!("the first release wasn't deployed: {finish:?}"));
                }
            }
        }
        world.behave(&ReleaseId::new("web-2"), self.new);
        if self.change == Change::Router {
            world.direct(&"web-2".into());
            world.direct(&"web-3".into());
        } else if self.strategy != "recreate" && self.change != Change::Entry {
            let promised = if self.order == Order::StartFirst || self.cluster { COUNT } else { COUNT - 2 };
            world.promise(&"web".into(), promised);
        }
        let strategy = by_name(self.strategy).ok_or_else(|| format!("there is no strategy {}", self.strategy))?;
        Ok(SimScene::new(world.clone(), strategy, self.services(&world, 2))
            .or(self.services(&world, 3))
            .after(self.services(&world, 1)))
    }

    fn services(self, world: &SimWorld, version: u32) -> Vec<ServiceSpec> {
        let web = self.spec(world, &format!("web-{version}"));
        let lodger = (self.change == Change::Lodger).then(|| ServiceSpec {
            release: Release { service: "probe".into(), ..release(&format!("probe-{version}")) },
            count: Count::Exactly(1),
            router: None,
            order: Order::StopFirst,
            needs: vec!["web".into()],
            lives_in: vec!["web".into()],
            objects: Vec::new(),
            ..web.clone()
        });
        [web].into_iter().chain(lodger).collect()
    }

    fn spec(self, world: &SimWorld, id: &str) -> ServiceSpec {
        let object = |kind: &str, name: &str| Object {
            object: ObjectRef { target: "sim".into(), kind: kind.into(), name: name.into() },
            spec: json!({ "internal": true }),
        };
        let first = id == "web-1";
        let is_routed = match self.change {
            Change::Router => first,
            Change::Entry => !first,
            _ => true,
        };
        let mut objects = vec![object("network", "front")];
        if self.change != Change::Nothing {
            objects.extend(first.then(|| object("network", "back")));
            objects.extend(first.then(|| object("volume", "data")));
            objects.extend(is_routed.then(|| object("proxy", "web")));
            if let Some(proxy) = objects.last_mut().filter(|_| first && self.change == Change::Front) {
                proxy.spec = json!({ "internal": false });
            }
        }
        if self.change == Change::Network {
            // what takes its time, and becomes another
            objects.push(Object { spec: json!({ "of": id }), ..object("database", "shop") });
        }
        ServiceSpec {
            release: release(id),
            count: if self.cluster { Count::Leave } else { Count::Exactly(COUNT) },
            router: is_routed.then(|| world.router_id()),
            order: self.order,
            batch: self.batch,
            check: Named::new("own", json!({})),
            clocks: Clocks { healthy_by: Millis::from_secs(3), progress_by: Millis::from_secs(3), ..Clocks::default() },
            smoke: Vec::new(),
            bake: self.bake,
            drain_by: Millis::from_secs(10),
            stop_by: Millis::from_secs(10),
            needs: Vec::new(),
            lives_in: Vec::new(),
            objects,
            keep_failed: false,
            notes: Vec::new(),
        }
    }
}
