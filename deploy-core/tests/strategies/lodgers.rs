//! Services whose instances live in those of another.

use crate::{
    render::plan_text,
    worlds::{deployed, failed, input, service},
};
use deploy_core::{
    model::{Batch, Order, ServiceSpec},
    strategy::{BlueGreen, PlanInput, Recreate, Rolling, Strategy},
};

fn vpn(id: &str) -> ServiceSpec {
    ServiceSpec { router: None, order: Order::StopFirst, ..service("vpn", id, 1) }
}

fn wiki(id: &str) -> ServiceSpec {
    ServiceSpec { needs: vec!["vpn".into()], lives_in: vec!["vpn".into()], ..named("wiki", id) }
}

fn named(name: &str, id: &str) -> ServiceSpec {
    ServiceSpec { router: None, order: Order::StopFirst, ..service(name, id, 1) }
}

fn order(strategy: &dyn Strategy, input: &PlanInput) -> Vec<String> {
    let plan = strategy.plan(input).unwrap();
    let order = plan.in_order().unwrap().into_iter().map(|step| step.id.to_string());
    order.filter(|id| ["stop", "start", "drain", "route"].iter().any(|verb| id.contains(verb))).collect()
}

#[test]
fn a_lodger_ends_before_what_it_lives_in_and_starts_after_it() {
    let world = deployed(deployed(input([wiki("wiki-new"), vpn("vpn-new")]), &wiki("wiki-old")), &vpn("vpn-old"));
    let texts = [&Rolling as &dyn Strategy, &BlueGreen, &Recreate].map(|strategy| plan_text(strategy, &world));
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
    insta::assert_snapshot!(texts[0]);
}

/// Its own release may be the same: it lives in an instance that goes.
#[test]
fn a_lodger_that_is_as_wanted_moves_with_what_it_lives_in() {
    let world = deployed(deployed(input([wiki("wiki-now"), vpn("vpn-new")]), &wiki("wiki-now")), &vpn("vpn-old"));
    insta::assert_snapshot!(plan_text(&Rolling, &world));
    let alone = deployed(deployed(input([wiki("wiki-new"), vpn("vpn-now")]), &wiki("wiki-old")), &vpn("vpn-now"));
    assert_eq!(order(&Rolling, &alone), ["wiki/stop", "wiki/start"]);
}

#[test]
fn a_lodger_of_what_has_ended_starts_anew() {
    let gone = deployed(input([wiki("wiki-now"), vpn("vpn-now")]), &wiki("wiki-now"));
    assert_eq!(order(&Rolling, &gone), ["wiki/stop", "vpn/start", "wiki/start"]);
    let ended = failed(gone, "vpn", "vpn-now", 1);
    assert_eq!(order(&Rolling, &ended), ["wiki/stop", "vpn/start", "wiki/start"]);
}

#[test]
fn what_lives_in_a_lodger_ends_first_of_all() {
    let probe =
        |id: &str| ServiceSpec { needs: vec!["wiki".into()], lives_in: vec!["wiki".into()], ..named("probe", id) };
    let wanted = input([probe("probe-new"), wiki("wiki-new"), vpn("vpn-new")]);
    let world = deployed(deployed(deployed(wanted, &probe("probe-old")), &wiki("wiki-old")), &vpn("vpn-old"));
    let ids = ["probe/stop", "wiki/stop", "vpn/stop", "vpn/start", "wiki/start", "probe/start"];
    assert_eq!(order(&Rolling, &world), ids);
}

/// Beside the new instances the old ones go on, and so does what lives in them; it is routed itself.
#[test]
fn a_lodger_of_what_starts_first_stays_until_the_old_ones_stop() {
    let lodger = |id: &str| ServiceSpec { router: Some("proxy".into()), ..wiki(id) };
    let vpn = |id: &str| ServiceSpec { batch: Batch::Size(1), ..service("vpn", id, 2) };
    let world = deployed(deployed(input([lodger("wiki-new"), vpn("vpn-new")]), &lodger("wiki-old")), &vpn("vpn-old"));
    insta::assert_snapshot!(plan_text(&Rolling, &world));
}

#[test]
fn a_service_that_moves_out_for_good_ends_before_what_it_lived_in() {
    let world =
        deployed(deployed(input([named("wiki", "wiki-new"), vpn("vpn-new")]), &wiki("wiki-old")), &vpn("vpn-old"));
    let order = order(&Rolling, &world);
    let at = |id: &str| order.iter().position(|one| one == id).unwrap();
    assert!(at("wiki/stop") < at("vpn/stop"), "{order:?}");
}
