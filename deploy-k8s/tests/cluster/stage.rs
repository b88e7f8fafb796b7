use crate::{
    deployer::{Deployer, Order},
    gate::{Fate, Gate},
    ground::{Ground, until},
    load::{Connections, Load, Seen, ask},
    site::Site,
    web::Web,
};
use serde_json::Value;
use std::{env, time::Duration};

/// Few, so that more rounds fit.
const REPLICAS: u32 = 2;
/// Long enough for a busy node.
pub(crate) const SETTLE: Duration = Duration::from_secs(3);

/// A Deployment with two Services in front of it, where one version after the other is deployed by processes that are
/// disturbed.
pub(crate) struct Stage {
    pub(crate) site: Site,
    pub(crate) gate: Gate,
    /// Of the Services.
    ports: [u16; 2],
    pub(crate) before: Value,
    /// As the Deployment was when it was applied.
    web: Web<'static>,
}

impl Stage {
    /// Version 0 serves. None where there is no cluster.
    pub(crate) async fn new(pre_stop: Option<u32>) -> Option<Self> {
        let mut site = Site::new(Ground::new().await?).await;
        site.settle = SETTLE;
        let web = Web { version: "0", replicas: REPLICAS, pre_stop, ..Web::default() };
        // its name comes first, so that it is moved first
        let also = web.service().replacen("name: web", "name: also", 1);
        site.ground.apply(&also).await;
        let ports = [site.ground.start(&web).await, site.ground.node_port("also").await];
        let before = site.ground.shown("deployment", "web").await;
        let stage = Self { site, gate: Gate::new().await, ports, before, web };
        stage.answers("0").await;
        Some(stage)
    }

    pub(crate) fn web<'a>(&self, version: &'a str) -> Web<'a> {
        Web { version, ..self.web.clone() }
    }

    pub(crate) fn deploy<'a>(&self, version: &'a str, strategy: &'a str) -> Order<'a> {
        Order::deploy(self.web(version), strategy)
    }

    /// Requests to one of the Services.
    pub(crate) fn load(&self, which: u64) -> Load {
        Load::start(self.ports[(which % 2) as usize], Connections::New)
    }

    /// What was lost until now; it spoils nothing that follows.
    pub(crate) async fn end(&self, load: Load) -> Seen {
        let seen = load.end().await;
        if seen.lost > 0 {
            eprintln!("{seen:?}");
            for port in self.ports {
                self.site.ground.forget_connections(port).await;
            }
        }
        seen
    }

    /// Has a deployer killed right after a write; its end where it came before.
    pub(crate) async fn killed_after(&self, order: &Order<'_>, number: u64) -> Result<String, Option<i32>> {
        self.gate.begin(Some(Fate::LastOne(number)));
        let mut deployer = order.start(&self.site, &self.gate);
        tokio::select! {
            () = self.gate.reached() => {}
            ended = deployer.ended() => return Err(ended.code()),
        }
        deployer.kill().await;
        Ok(self.gate.writes().pop().unwrap_or_default())
    }

    /// Starts a deployer that nothing disturbs yet.
    pub(crate) fn start(&self, order: &Order<'_>) -> Deployer {
        self.gate.begin(None);
        order.start(&self.site, &self.gate)
    }

    /// Runs a deployer to its end, which must have this exit status.
    pub(crate) async fn ends_with(&self, status: i32, order: &Order<'_>) {
        self.start(order).ends_with(status).await;
    }

    /// Both Services are answered by one version alone, as soon as the nodes have followed.
    async fn answers(&self, version: &str) {
        for port in self.ports {
            let is_alone = async || {
                for _ in 0..10 {
                    if !ask(port).await.is_ok_and(|answer| answer == version) {
                        return false;
                    }
                }
                true
            };
            until(version, is_alone).await;
        }
    }

    /// One version answers, alone, and nothing is left of what was interrupted.
    pub(crate) async fn converged(&self, version: &str) {
        self.answers(version).await;
        self.site.is_as_the_users(&self.before).await;
        let lease = self.site.ground.get("lease", "deploy").await;
        assert_eq!(lease["spec"]["holderIdentity"], "", "{lease}");
        let journals = self.journals().await;
        assert!(journals.iter().all(|head| head.ends_with("/ended")), "{journals:?}");
    }

    /// How far each journal goes: `…/ended` where its deployment has.
    pub(crate) async fn journals(&self) -> Vec<String> {
        let journals = self.site.list("configmaps").await;
        let heads = journals.iter().map(|one| &one["metadata"]["annotations"]["deploy-rs.github.io/head"]);
        heads.filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

/// Which rounds of a loop are run: these or, where `CLUSTER_TEST_KILLS` says `all`, all until it ends; it may also name some:
/// `20,21`.
pub(crate) fn rounds(sample: &[u64]) -> Vec<u64> {
    match env::var("CLUSTER_TEST_KILLS").as_deref() {
        Ok("all") => (1..200).collect(),
        Ok(some) => some.split(',').map(|round| round.parse().unwrap()).collect(),
        Err(_) => sample.to_vec(),
    }
}

pub(crate) fn is_thorough() -> bool {
    env::var("CLUSTER_TEST_KILLS").is_ok_and(|kills| kills == "all")
}

/// What became of each round.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<(u64, String, Duration, Seen)>,
}

impl Table {
    pub(crate) fn add(&mut self, number: u64, what: String, took: Duration, seen: Seen) {
        eprintln!("{number:4}  {what:60} {:6.1} s  lost {}", took.as_secs_f64(), seen.lost);
        self.rows.push((number, what, took, seen));
    }

    /// Tells all; fails where a request was lost.
    pub(crate) fn lost_none(&self, title: &str) {
        eprintln!("\n{title}\n   n  {:60} seconds    sent  lost  longest gap", "what");
        for (number, what, took, seen) in &self.rows {
            let (took, gap) = (took.as_secs_f64(), seen.longest_gap.as_millis());
            eprintln!("{number:4}  {what:60} {took:7.1} {:7} {:5} {gap:9} ms", seen.sent, seen.lost);
        }
        assert!(self.rows.iter().all(|(.., seen)| seen.lost == 0));
        assert!(!self.rows.is_empty() && (!is_thorough() || self.rows.len() > 15), "{} rounds", self.rows.len());
    }
}
