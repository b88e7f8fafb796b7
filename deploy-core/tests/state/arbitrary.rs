//! Any event and any plan that the types allow, whether or not a planner would make it.

use deploy_core::model::{
    BasisPoints, Batch, Clocks, Count, End, Event, Expect, Fact, Fence, Guard, Millis, Named, Object, ObjectRef,
    OnFailure, Op, Order, Outcome, Pace, Plan, Release, ServiceSpec, Share, Shares, Step, Undo, Watch, WorkloadRef,
};
use deploy_core::model::{GuardId, ReleaseId, RouterId, ServiceName, StepId, TargetId};
use proptest::{collection::btree_map, collection::vec, option, prelude::*};
use serde_json::Value;

/// Text with anything in it: quotes, line ends, and what a journal's line ends with.
fn text() -> impl Strategy<Value = String> {
    let chars = vec(any::<char>(), 0..6).prop_map(String::from_iter);
    prop_oneof![4 => "[a-z]{1,8}", 2 => chars, 1 => Just(",\"crc\":\"00000000\"}\n".to_owned())]
}

fn step_id() -> impl Strategy<Value = StepId> {
    text().prop_map(StepId::new)
}

fn guard_id() -> impl Strategy<Value = GuardId> {
    text().prop_map(GuardId::new)
}

fn release_id() -> impl Strategy<Value = ReleaseId> {
    text().prop_map(ReleaseId::new)
}

fn router_id() -> impl Strategy<Value = RouterId> {
    text().prop_map(RouterId::new)
}

fn service_name() -> impl Strategy<Value = ServiceName> {
    text().prop_map(ServiceName::new)
}

fn target_id() -> impl Strategy<Value = TargetId> {
    text().prop_map(TargetId::new)
}

fn millis() -> impl Strategy<Value = Millis> {
    any::<u64>().prop_map(Millis)
}

/// Any JSON: what a check's parameters, an object's definition or a newer version's event may hold.
pub(crate) fn json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let members = vec((text(), inner.clone()), 0..3);
        prop_oneof![
            vec(inner, 0..3).prop_map(Value::from),
            members.prop_map(|all| Value::Object(all.into_iter().collect()))
        ]
    })
    .boxed()
}

fn named() -> impl Strategy<Value = Named> {
    (text(), json()).prop_map(|(name, params)| Named { name, params })
}

fn clocks() -> impl Strategy<Value = Clocks> {
    (any::<u32>(), millis(), millis(), millis(), millis()).prop_map(
        |(successes, interval, healthy_for, healthy_by, progress_by)| Clocks {
            successes,
            interval,
            healthy_for,
            healthy_by,
            progress_by,
        },
    )
}

fn workload() -> impl Strategy<Value = WorkloadRef> {
    (target_id(), service_name(), release_id()).prop_map(|(target, service, release)| WorkloadRef {
        target,
        service,
        release,
    })
}

fn release() -> impl Strategy<Value = Release> {
    (release_id(), service_name(), text(), text()).prop_map(|(id, service, version, artifact)| Release {
        id,
        service,
        version,
        artifact,
    })
}

fn object_ref() -> impl Strategy<Value = ObjectRef> {
    (target_id(), text(), text()).prop_map(|(target, kind, name)| ObjectRef { target, kind, name })
}

fn object() -> impl Strategy<Value = Object> {
    (object_ref(), json()).prop_map(|(object, spec)| Object { object, spec })
}

fn shares() -> impl Strategy<Value = Shares> {
    let share = (workload(), any::<u16>(), option::of(any::<u32>()));
    vec(share, 0..3).prop_map(|shares| {
        Shares::new(shares.into_iter().map(|(workload, weight, instances)| Share {
            workload,
            weight: BasisPoints(weight),
            instances,
        }))
    })
}

fn count() -> impl Strategy<Value = Count> {
    prop_oneof![any::<u32>().prop_map(Count::Exactly), release_id().prop_map(Count::AsServing), Just(Count::Leave)]
}

fn op() -> BoxedStrategy<Op> {
    let pace = any::<(u32, u32)>().prop_map(|(surge, unavailable)| Pace { surge, unavailable });
    prop_oneof![
        (workload(), release()).prop_map(|(workload, release)| Op::Store { workload, release }),
        object().prop_map(|object| Op::Apply { object }),
        object_ref().prop_map(|object| Op::Delete { object }),
        (workload(), count()).prop_map(|(workload, count)| Op::Ensure { workload, count }),
        (workload(), release_id(), pace).prop_map(|(workload, from, pace)| Op::Replace { workload, from, pace }),
        (workload(), any::<bool>()).prop_map(|(workload, keep)| Op::Remove { workload, keep }),
        (router_id(), service_name(), shares()).prop_map(|(router, service, shares)| Op::Route {
            router,
            service,
            shares
        }),
        (router_id(), workload()).prop_map(|(router, workload)| Op::Drain { router, workload }),
        (workload(), named(), clocks()).prop_map(|(workload, check, clocks)| Op::Check { workload, check, clocks }),
        (object_ref(), millis()).prop_map(|(object, by)| Op::Await { object, by }),
        millis().prop_map(|time| Op::Wait { time }),
    ]
    .boxed()
}

fn fact() -> BoxedStrategy<Fact> {
    prop_oneof![
        (workload(), any::<u32>(), any::<u32>()).prop_map(|(workload, min, max)| Fact::Asked { workload, min, max }),
        (router_id(), service_name(), shares()).prop_map(|(router, service, shares)| Fact::Routed {
            router,
            service,
            shares
        }),
        release_id().prop_map(|release| Fact::Stored { release }),
        object().prop_map(|object| Fact::Applied { object }),
        object_ref().prop_map(|object| Fact::Missing { object }),
    ]
    .boxed()
}

fn undo() -> impl Strategy<Value = Undo> {
    prop_oneof![
        Just(Undo::Nothing),
        vec(op(), 1..3).prop_map(|ops| Undo::Do { ops }),
        text().prop_map(|why| Undo::Keep { why }),
        text().prop_map(|why| Undo::Barrier { why }),
    ]
}

pub(crate) fn on_failure() -> impl Strategy<Value = OnFailure> {
    prop_oneof![Just(OnFailure::Unwind), Just(OnFailure::Halt), Just(OnFailure::Continue)]
}

fn step() -> BoxedStrategy<Step> {
    let expect = (vec(fact(), 0..2), vec(fact(), 0..2)).prop_map(|(ready, done)| Expect { ready, done });
    (step_id(), text(), vec(step_id(), 0..2), op(), expect, undo(), on_failure(), millis())
        .prop_map(|(id, stage, after, op, expect, undo, on_failure, deadline)| Step {
            id,
            stage,
            after,
            op,
            expect,
            undo,
            on_failure,
            deadline,
        })
        .boxed()
}

fn guard() -> BoxedStrategy<Guard> {
    let watch = (workload(), named(), millis(), any::<u32>());
    (guard_id(), watch, step_id(), step_id(), on_failure())
        .prop_map(|(id, (workload, check, interval, failures), from, until, on_failure)| Guard {
            id,
            watch: Watch::Check { workload, check, interval, failures },
            from,
            until,
            on_failure,
        })
        .boxed()
}

fn service() -> BoxedStrategy<ServiceSpec> {
    let order = prop_oneof![Just(Order::StartFirst), Just(Order::StopFirst)];
    let batch = prop_oneof![
        any::<u32>().prop_map(Batch::Size),
        any::<u16>().prop_map(|share| Batch::Share(BasisPoints(share))),
    ];
    let running = (release(), count(), option::of(router_id()), order, batch, named(), clocks());
    let times = (millis(), millis(), millis());
    let lists =
        (vec(named(), 0..2), vec(vec(service_name(), 0..2), 2), vec(object(), 0..2), vec(text(), 0..2), any::<bool>());
    (running, times, lists)
        .prop_map(
            |(
                (release, count, router, order, batch, check, clocks),
                (bake, drain_by, stop_by),
                (smoke, names, objects, notes, keep_failed),
            )| ServiceSpec {
                release,
                count,
                router,
                order,
                batch,
                check,
                clocks,
                smoke,
                bake,
                drain_by,
                stop_by,
                needs: names[0].clone(),
                lives_in: names[1].clone(),
                objects,
                keep_failed,
                notes,
            },
        )
        .boxed()
}

/// Any plan, one that could not run too.
pub(crate) fn plan() -> BoxedStrategy<Plan> {
    let head = (any::<u16>(), any::<u16>(), target_id(), text());
    (head, vec(service(), 0..2), vec(fact(), 0..2), vec(step(), 0..3), vec(guard(), 0..2))
        .prop_map(|((format, min_reader, home, strategy), services, basis, steps, guards)| Plan {
            format,
            min_reader,
            home,
            strategy,
            services,
            basis,
            steps,
            guards,
        })
        .boxed()
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Applied),
        Just(Outcome::Resumed),
        Just(Outcome::Coincided),
        text().prop_map(|reason| Outcome::Failed { reason }),
        (text(), text()).prop_map(|(expected, found)| Outcome::Conflict { expected, found }),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        Just(End::Succeeded),
        text().prop_map(|why| End::RolledBack { why }),
        text().prop_map(|why| End::Cancelled { why }),
        text().prop_map(|why| End::Halted { why }),
        text().prop_map(|why| End::Stuck { why }),
    ]
}

/// An event of a kind that no version of today knows.
pub(crate) fn newer_event() -> impl Strategy<Value = Event> {
    vec((text(), json()), 0..3).prop_map(|members| {
        let mut event = serde_json::Map::from_iter(members);
        event.insert("event".into(), "approval-asked-for".into());
        Event::Unknown(Value::Object(event))
    })
}

/// Any event of each kind.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    let fences = btree_map(target_id(), any::<u64>().prop_map(Fence), 0..3);
    prop_oneof![
        plan().prop_map(|plan| Event::Planned { plan: Box::new(plan) }),
        (fences, text()).prop_map(|(fences, holder)| Event::LeaseTaken { fences, holder }),
        step_id().prop_map(|step| Event::StepStarted { step }),
        (step_id(), outcome()).prop_map(|(step, outcome)| Event::StepEnded { step, outcome }),
        (guard_id(), text()).prop_map(|(guard, reason)| Event::GuardFailed { guard, reason }),
        (plan(), text()).prop_map(|(plan, reason)| Event::Unwinding { plan: Box::new(plan), reason }),
        text().prop_map(|reason| Event::Suspended { reason }),
        end().prop_map(Event::Ended),
        newer_event(),
    ]
}
