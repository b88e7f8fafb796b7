use super::{
    Entry, Lines, Names, Status, Story,
    fixtures::{database, planned, running, spec, with_v1},
    history,
    rows::rows,
    screen,
};
use deploy_core::{
    engine::{Deployment, Finish, Report, State},
    journal::Record,
    model::{DeploymentId, End, Event, Fence, InstanceState, Millis, Outcome, Plan, StepId, World},
    observer::{Notice, Progress},
    rollback::{Rollback, Unwind},
};
use std::{collections::BTreeMap, time::Duration};

const NUMBER: DeploymentId = DeploymentId(8);

fn stripped(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Hears and tells events and passing things as the engine tells them, a tenth of a second apart.
struct Told {
    story: Story,
    lines: Lines,
    text: String,
    seq: u64,
    at: Duration,
}

impl Told {
    fn new(names: Names) -> Self {
        let story = Story::new(names, None);
        Self { story, lines: Lines::default(), text: String::new(), seq: 0, at: Duration::ZERO }
    }

    fn notice(&mut self, notice: &Notice) {
        self.story.hear(notice);
        self.text.push_str(&self.lines.tell(&self.story, self.at, notice));
        self.at += Duration::from_millis(100);
    }

    fn event(&mut self, event: Event) {
        self.seq += 1;
        let record = Box::new(Record::new(self.seq, Fence(3), event));
        self.notice(&Notice::Event { deployment: NUMBER, record });
    }

    fn begin(&mut self, plan: &Plan) {
        self.event(Event::Planned { plan: Box::new(plan.clone()) });
        self.event(Event::LeaseTaken { fences: BTreeMap::new(), holder: "me".into() });
    }

    fn progress(&mut self, progress: Progress) {
        self.notice(&Notice::Progress(progress));
    }

    fn health(&mut self, step: &str, healthy: u32, last: &str, left: u64) {
        let last = (!last.is_empty()).then(|| last.to_owned());
        self.progress(Progress::Health { step: step.into(), healthy, of: 2, last, left: Millis(left) });
    }

    fn ends(&mut self, step: &StepId, outcome: Outcome) {
        self.event(Event::StepStarted { step: step.clone() });
        self.event(Event::StepEnded { step: step.clone(), outcome });
    }

    fn text(&self) -> String {
        stripped(&self.text)
    }
}

fn failed(reason: &str) -> Outcome {
    Outcome::Failed { reason: reason.into() }
}

fn report(end: End) -> Report {
    Report { deployment: Some(NUMBER), finish: Finish::Ended(end) }
}

/// Version 2 starts, and never gets healthy.
/// A deployment whose new instances are looked at.
fn looked_at() -> Told {
    let (plan, names) = planned("rolling", vec![spec("web", "v2", 2)], with_v1(2));
    let mut told = Told::new(names);
    told.begin(&plan);
    told.ends(&"web/store".into(), Outcome::Applied);
    told.ends(&"web/start".into(), Outcome::Applied);
    told.event(Event::StepStarted { step: "web/check".into() });
    told
}

fn never_healthy() -> Told {
    let mut told = looked_at();
    told.health("web/check", 0, "shop-web-2-1: it hasn't started yet", 59_900);
    told.health("web/check", 1, "shop-web-2-2: /healthz answered 500: unhealthy", 59_200);
    told.health("web/check", 1, "shop-web-2-2: /healthz answered 500: unhealthy", 59_000);
    told.health("web/check", 1, "shop-web-2-2: /healthz answered 500: unhealthy", 48_000);
    let lines = vec!["version v2 listens on port 8080".into(), "\u{1b}[31mthe \u{7}database is gone".into()];
    told.progress(Progress::Log { instance: "shop-web-2-2".into(), lines });
    let reason = "not healthy within 60 s: shop-web-2-2: /healthz answered 500: unhealthy";
    told.event(Event::StepEnded { step: "web/check".into(), outcome: failed(reason) });
    told
}

fn unwound(mut told: Told) -> Told {
    let back = Unwind.plan(told.story.state().unwrap()).unwrap();
    told.event(Event::Unwinding { plan: Box::new(back.clone()), reason: "web/check: not healthy within 60 s".into() });
    for step in back.in_order().unwrap() {
        told.ends(&step.id, Outcome::Applied);
    }
    told
}

#[test]
fn a_deployment_that_succeeds_in_lines() {
    let mut world = with_v1(2);
    running(&mut world, &database(), 1);
    let mut web = spec("web", "v2", 2);
    web.bake = Millis::from_secs(30);
    let (plan, names) = planned("rolling", vec![web.clone(), database()], world);
    let mut told = Told::new(names);
    told.begin(&plan);
    for step in plan.in_order().unwrap() {
        told.event(Event::StepStarted { step: step.id.clone() });
        if step.id.as_str() == "web/check" {
            told.health("web/check", 1, "", 59_000);
            told.health("web/check", 2, "", 58_800);
        }
        told.event(Event::StepEnded { step: step.id.clone(), outcome: Outcome::Applied });
    }
    told.event(Event::Ended(End::Succeeded));
    insta::assert_snapshot!(told.text());

    let mut after = World::default();
    running(&mut after, &database(), 1);
    running(&mut after, &web, 2);
    let screen = screen(&told.story, &report(End::Succeeded), Duration::from_millis(32_400), Some(&after));
    insta::assert_snapshot!("a_success_is_one_line_and_what_serves", stripped(&screen));
}

#[test]
fn a_version_that_never_gets_healthy() {
    let told = unwound(never_healthy());
    insta::assert_snapshot!("never_healthy_in_lines", told.text());
    let why = "web/check: not healthy within 60 s: shop-web-2-2: /healthz answered 500: unhealthy";
    let report = report(End::RolledBack { why: why.into() });
    let screen = screen(&told.story, &report, Duration::from_secs(62), Some(&with_v1(2)));
    assert!(screen.lines().count() <= 24, "{screen}");
    insta::assert_snapshot!("never_healthy_explained", stripped(&screen));
}

#[test]
fn a_bar_a_service_says_what_goes_on() {
    let (plan, names) = planned("rolling", vec![spec("web", "v2", 2), database()], with_v1(2));
    let mut told = Told::new(names);
    told.begin(&plan);
    told.ends(&"web/store".into(), Outcome::Applied);
    told.ends(&"web/start".into(), Outcome::Applied);
    told.event(Event::StepStarted { step: "web/check".into() });
    told.health("web/check", 1, "shop-web-2-2: it hasn't started yet", 59_900);
    let said: Vec<_> = rows(&told.story)
        .into_iter()
        .map(|row| format!("{} {}/{} {}", row.service, row.done, row.of, row.said))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    web 2/6 v2: 1 of 2 healthy; shop-web-2-2: it hasn't started yet
    db 0/3 waits
    ");
}

#[test]
fn a_way_back_that_fails_keeps_the_first_cause() {
    let mut told = never_healthy();
    let back = Unwind.plan(told.story.state().unwrap()).unwrap();
    told.event(Event::Unwinding { plan: Box::new(back.clone()), reason: "web/check: not healthy within 60 s".into() });
    told.ends(&back.steps[0].id, failed("expected to remove shop-web-2-1, but the Docker Engine said: busy"));
    let why = "undo web/start: busy; it was going back because web/check: not healthy within 60 s";
    let screen = screen(&told.story, &report(End::Stuck { why: why.into() }), Duration::from_secs(62), None);
    insta::assert_snapshot!(stripped(&screen));
}

#[test]
fn waiting_for_somebody_else_is_told_now_and_then() {
    let mut told = Told::new(Names::new());
    for wait in (0..=30).rev() {
        let (left, wait) = (Millis::from_secs(15), Millis::from_secs(wait));
        told.progress(Progress::LeaseHeld { holder: "ann on build-7".into(), left, wait });
    }
    insta::assert_snapshot!(told.text());
}

#[test]
fn that_nobody_is_healthy_is_told_after_a_moment_and_now_and_then() {
    let mut told = looked_at();
    let before = told.text().lines().count();
    for left in (31..=60).rev() {
        told.health("web/check", 0, "it answered 500", left * 1000);
    }
    let text = told.text();
    let lines: Vec<_> = text.lines().skip(before).map(|line| line.trim_start_matches(|c: char| c != '…')).collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0], "… web  0 of 2 healthy, 55 s left; it answered 500");
}

#[test]
fn what_serves_and_what_is_kept() {
    let mut world = with_v1(2);
    running(&mut world, &database(), 1);
    running(&mut world, &spec("web", "v2", 4), 4);
    let old = world.workloads.iter_mut().find(|there| there.release.version == "v1").unwrap();
    old.asked = 0;
    old.instances.iter_mut().for_each(|instance| instance.state = InstanceState::Kept);
    let new = world.workloads.iter_mut().find(|there| there.release.version == "v2").unwrap();
    new.instances[3].state = InstanceState::Failed { reason: "exited with status 1".into() };
    let mut names = Names::new();
    names.know_world(&world);
    insta::assert_snapshot!(Status::new("shop", &world, &names, None).text());
}

#[test]
fn history_in_columns() {
    let told = unwound(never_healthy());
    let (plan, _) = planned("blue-green", vec![spec("web", "v1", 2), database()], World::default());
    let first = State::begin(&Event::Planned { plan: Box::new(plan) }).unwrap();
    let at = |second| jiff::Timestamp::from_second(1_763_712_000_i64 + second).unwrap();
    let back = told.story.state().unwrap().apply(&Event::Ended(End::RolledBack { why: "web/check:\n no".into() }));
    let deployments = [
        Deployment { id: NUMBER, began: at(60), last: at(95), state: Some(back.unwrap()) },
        Deployment { id: DeploymentId(7), began: at(0), last: at(3), state: Some(first) },
        Deployment { id: DeploymentId(6), began: at(0), last: at(3), state: None },
    ];
    let entries: Vec<_> = deployments.iter().map(Entry::new).collect();
    insta::with_settings!({filters => vec![(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "YYYY-MM-DD hh:mm:ss")]}, {
        insta::assert_snapshot!(history(&entries));
    });
}
