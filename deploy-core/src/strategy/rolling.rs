use super::{
    PlanInput, Strategy, builder,
    line::{Line, Resize},
    situation::Old,
};
use crate::model::{Order, Pace, Plan, PlanError, Shares};

/// *Rolling*: batch by batch, the new beside the old or, stop-first, in its place. A batch is also the surge: so many more
/// instances than asked for run at once, start-first. Where the backend replaces in place by itself, it does.
#[derive(Clone, Copy, Debug)]
pub struct Rolling;

impl Strategy for Rolling {
    fn name(&self) -> &str {
        "rolling"
    }

    fn plan(&self, input: &PlanInput) -> Result<Plan, PlanError> {
        builder::plan(self.name(), input, |line| {
            let batch = line.situation.spec.batch.of(line.situation.count());
            roll(line, line.situation.spec.order, batch);
        })
    }
}

/// Batches of `batch`, in an order.
pub(super) fn roll(line: &mut Line<'_, '_>, order: Order, batch: u32) {
    if line.situation.enters_router() {
        return line.enter_router(order);
    }
    if line.situation.can.replaces && line.situation.new_asked == 0 && line.situation.olds.len() == 1 {
        let pace = match order {
            Order::StartFirst => Pace { surge: batch, unavailable: 0 },
            Order::StopFirst => Pace { surge: 0, unavailable: batch },
        };
        line.replace(0, pace);
        line.check();
        line.bake();
        return;
    }
    let count = line.situation.count();
    // what requests come through leads to one release's ports
    let batch = if line.situation.coming.is_empty() { batch.max(1) } else { count.max(1) };
    let mut kept: Vec<u32> = line.situation.olds.iter().map(|old| old.asked).collect();
    let mut done = match line.situation.new_asked {
        // more than wanted: only the surplus leaves, below
        surplus if surplus > count => count,
        some => some.min(count),
    };
    if line.situation.new_asked > count {
        shrink_new(line, count);
    }
    let is_routed = line.situation.router.is_none() || before_first(line, done) == done;
    if order == Order::StopFirst && !is_routed {
        // those that are there already get requests before any of the old end
        line.check();
        line.route(shares(line, done, &kept));
    }
    // a set that is large enough is looked at all the same before it gets requests
    let mut looked_at = false;
    while done < count || !looked_at {
        let before = done;
        done = count.min(done.saturating_add(batch));
        let last = done == count;
        let left = |old: &Old| (u64::from(old.asked) * u64::from(count - done)).div_ceil(u64::from(count.max(1)));
        // never more than there were, which fits
        let target: Vec<u32> = line.situation.olds.iter().map(|old| left(old) as u32).collect();
        if order == Order::StopFirst {
            line.route(shares(line, before_first(line, before), &target));
            stop_olds(line, &mut kept, &target, false);
        }
        line.start(before, done);
        line.check();
        looked_at = true;
        line.route(shares(line, done, &target));
        if last {
            line.bake();
        }
        if order == Order::StartFirst {
            stop_olds(line, &mut kept, &target, last);
        }
    }
}

/// Instances of the new release that answer before a batch: none that weren't routed or checked yet.
fn before_first(line: &Line<'_, '_>, before: u32) -> u32 {
    match line.situation.shares.of(&line.situation.new) {
        Some(share) => share.instances.unwrap_or(before).min(before),
        None => 0,
    }
}

/// The new release's instances, and those of old ones that answer today and stay.
fn shares(line: &Line<'_, '_>, new: u32, olds: &[u32]) -> Shares {
    let situation = &line.situation;
    if situation.can.owns_counts && new == situation.count() {
        return situation.all_to_new();
    }
    let olds = situation.olds.iter().zip(olds).map(|(old, keep)| (old.workload.clone(), old.serving.min(*keep)));
    Shares::by_instances(olds.chain([(situation.new.clone(), new)]))
}

/// `alone`: the new release serves alone, and may be the only healthy one.
fn stop_olds(line: &mut Line<'_, '_>, kept: &mut [u32], target: &[u32], alone: bool) {
    for (index, (kept, to)) in kept.iter_mut().zip(target).enumerate() {
        let workload = line.situation.olds[index].workload.clone();
        if *kept == *to {
            continue;
        }
        if line.situation.may_have_requests(index) {
            line.drain(&workload);
        }
        match line.situation.can.owns_counts {
            true => line.take_away(index),
            false => line.shrink(index, Resize { workload, from: *kept, to: *to }),
        }
        if alone {
            line.halt_on_failure();
        }
        *kept = *to;
    }
}

/// Fewer instances of what runs already.
fn shrink_new(line: &mut Line<'_, '_>, count: u32) {
    let (workload, from) = (line.situation.new.clone(), line.situation.new_asked);
    let olds: Vec<u32> = line.situation.olds.iter().map(|old| old.asked).collect();
    line.route(shares(line, before_first(line, count), &olds));
    line.drain(&workload);
    line.start(from, count);
}
