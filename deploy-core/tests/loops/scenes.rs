use deploy_core::{
    model::{
        BasisPoints, Batch, Clocks, Count, Millis, Named, Object, ObjectRef, Order, Release, ReleaseId, ServiceSpec,
    },
    strategy::by_name,
    testing::{Behaviour, SimSettings, SimWorld, loops::SimScene},
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
}

const GOOD: Setting = Setting {
    cluster: false,
    notices: false,
    strategy: "rolling",
    order: Order::StartFirst,
    batch: Batch::Size(2),
    new: Behaviour::GOOD,
    bake: Millis::ZERO,
};

const BLUE_GREEN: Setting = Setting { strategy: "blue-green", bake: Millis::from_secs(5), ..GOOD };

pub(crate) const SCENES: [Setting; 13] = [
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
];

/// How many instances run.
const COUNT: u32 = 3;

pub(crate) fn release(id: &str) -> Release {
    Release { id: id.into(), service: "web".into(), version: String::new(), artifact: "an image".into() }
}

impl Setting {
    pub(crate) fn scene(self) -> Result<SimScene, String> {
        let settings = if self.cluster { SimSettings::cluster() } else { SimSettings::host() };
        let world = SimWorld::new(SimSettings { notices_death: self.notices, ..settings });
        world.runs(&release("web-1"), COUNT);
        world.behave(&ReleaseId::new("web-2"), self.new);
        if self.strategy != "recreate" {
            let promised = if self.order == Order::StartFirst || self.cluster { COUNT } else { COUNT - 2 };
            world.promise(&"web".into(), promised);
        }
        let strategy = by_name(self.strategy).ok_or_else(|| format!("there is no strategy {}", self.strategy))?;
        Ok(SimScene::new(world.clone(), strategy, vec![self.spec(&world, "web-2")])
            .or(vec![self.spec(&world, "web-3")])
            .after(vec![self.spec(&world, "web-1")]))
    }

    fn spec(self, world: &SimWorld, id: &str) -> ServiceSpec {
        let network = ObjectRef { target: "sim".into(), kind: "network".into(), name: "front".into() };
        ServiceSpec {
            release: release(id),
            count: if self.cluster { Count::Leave } else { Count::Exactly(COUNT) },
            router: Some(world.router_id()),
            order: self.order,
            batch: self.batch,
            check: Named::new("own", json!({})),
            clocks: Clocks { healthy_by: Millis::from_secs(3), progress_by: Millis::from_secs(3), ..Clocks::default() },
            smoke: Vec::new(),
            bake: self.bake,
            drain_by: Millis::from_secs(10),
            stop_by: Millis::from_secs(10),
            needs: Vec::new(),
            objects: vec![Object { object: network, spec: json!({ "internal": true }) }],
            keep_failed: false,
            notes: Vec::new(),
        }
    }
}
