use super::{
    MAKE, SLACK,
    builder::{Builder, delete},
    situation::{Old, Situation},
};
use crate::model::{
    Clocks, Count, Expect, Fact, Guard, Millis, Named, OnFailure, Op, Order, Pace, ServiceSpec, Share, Shares, Step,
    StepId, Undo, Watch, WorkloadRef,
};
use std::collections::BTreeMap;

/// One service's steps, each after the last.
pub(super) struct Line<'b, 'a> {
    builder: &'b mut Builder<'a>,
    pub(super) situation: Situation<'a>,
    after: Vec<StepId>,
    /// Whether instances were started since the last route.
    started: bool,
    /// How often each verb was used, for step ids.
    numbers: BTreeMap<&'static str, u32>,
}

/// A service's line that isn't written yet, or of which only the beginning is.
pub(super) struct Pending<'a> {
    pub(super) situation: Situation<'a>,
    pub(super) after: Vec<StepId>,
    numbers: BTreeMap<&'static str, u32>,
}

impl<'a> Pending<'a> {
    pub(super) fn new(situation: Situation<'a>) -> Self {
        Self { situation, after: Vec::new(), numbers: BTreeMap::new() }
    }
}

/// A set whose size changes.
pub(super) struct Resize {
    pub(super) workload: WorkloadRef,
    pub(super) from: u32,
    pub(super) to: u32,
}

impl<'b, 'a> Line<'b, 'a> {
    pub(super) fn new(builder: &'b mut Builder<'a>, pending: Pending<'a>) -> Self {
        let Pending { situation, after, numbers } = pending;
        Self { builder, situation, after, started: false, numbers }
    }

    /// What the line ends with, to be gone on with.
    pub(super) fn rest(self) -> Pending<'a> {
        Pending { situation: self.situation, after: self.after, numbers: self.numbers }
    }

    fn step(
        &mut self,
        verb: &'static str,
        stage: &str,
        op: Op,
        expect: Expect,
        undo: Undo,
        deadline: Millis,
    ) -> StepId {
        let number = self.numbers.entry(verb).or_default();
        *number += 1;
        let service = &self.situation.spec.release.service;
        let id = StepId::new(match number {
            1 => format!("{service}/{verb}"),
            number => format!("{service}/{verb}-{number}"),
        });
        self.builder.steps.push(Step {
            id: id.clone(),
            stage: stage.into(),
            after: std::mem::replace(&mut self.after, vec![id.clone()]),
            op,
            expect,
            undo,
            on_failure: OnFailure::Unwind,
            deadline,
        });
        id
    }

    /// Ends all that is routed of a service that is to be reached directly, and what its requests came through: that has its
    /// names and ports until it is gone.
    pub(super) fn leave_router(&mut self) {
        self.end_routed();
        for front in std::mem::take(&mut self.situation.fronts) {
            let step = delete("Stop the old", front, std::mem::take(&mut self.after), OnFailure::Unwind);
            self.after = vec![step.id.clone()];
            self.builder.steps.push(step);
        }
        self.situation.router = None;
    }

    /// Ends all that runs of a service that lives in another's instances, before those end.
    pub(super) fn move_out(&mut self, comes_back: bool) {
        self.end_routed();
        let (workload, asked) = (self.situation.new.clone(), std::mem::take(&mut self.situation.new_asked));
        if asked == 0 {
            return;
        }
        self.drain(&workload);
        let ServiceSpec { check, clocks, .. } = self.situation.spec;
        let undo = match comes_back {
            true => Undo::Do { ops: grow_back(&workload, Count::Exactly(asked), check, *clocks) },
            false => Undo::Nothing,
        };
        self.stop(Resize { workload, from: asked, to: 0 }, undo);
    }

    /// Ends what lives in the service's instances, before those end.
    fn end_lodgers(&mut self) {
        let (service, come_back) = (&self.situation.spec.release.service, !self.situation.olds.is_empty());
        self.after = self.builder.end_lodgers(service, come_back, std::mem::take(&mut self.after));
    }

    /// Sends no more requests to what runs of other releases, lets them end, and stops it.
    fn end_routed(&mut self) {
        self.route(Shares::none());
        for old in 0..self.situation.olds.len() {
            let (workload, asked) = (self.situation.olds[old].workload.clone(), self.situation.olds[old].asked);
            if self.situation.may_have_requests(old) {
                self.drain(&workload);
            }
            self.end(old, asked);
        }
        self.situation.olds.clear();
    }

    /// Puts the new release, once it is healthy, behind a router in the place of what clients reach directly.
    pub(super) fn enter_router(&mut self, order: Order) {
        let (new_asked, count) = (self.situation.new_asked, self.situation.count());
        if order == Order::StopFirst {
            self.end_all();
        }
        self.start(new_asked, count);
        self.check();
        if order == Order::StartFirst {
            self.end_all();
        }
        self.route(self.situation.all_to_new());
        self.bake();
    }

    fn end_all(&mut self) {
        for old in 0..self.situation.olds.len() {
            self.end(old, self.situation.olds[old].asked);
        }
        self.situation.olds.clear();
    }

    /// Puts what requests are to come through in its place.
    pub(super) fn apply_coming(&mut self) {
        for object in std::mem::take(&mut self.situation.coming) {
            if let Some(id) = self.builder.apply("Move the traffic", object, &self.after) {
                self.after = vec![id];
            }
        }
    }

    /// Stops all that runs of an old set, and keeps it.
    pub(super) fn end(&mut self, old: usize, from: u32) {
        let workload = self.situation.olds[old].workload.clone();
        match self.situation.can.owns_counts {
            true => self.take_away(old),
            false => self.shrink(old, Resize { workload, from, to: 0 }),
        }
    }

    /// Runs so many of the new release. On the way back the set shrinks again, or leaves.
    pub(super) fn start(&mut self, from: u32, to: u32) {
        if from == to && self.situation.new_failed && !self.situation.can.owns_counts {
            return self.revive(to);
        }
        if from == to && !self.situation.can.owns_counts || from > 0 && self.situation.can.owns_counts {
            return;
        }
        if to == 0 || from == 0 && self.situation.olds.is_empty() {
            // what they lived in is gone, or about to go
            self.end_lodgers();
        }
        self.started |= from < to;
        let workload = self.situation.new.clone();
        let keep = self.situation.new_known || self.situation.spec.keep_failed;
        let owned = self.situation.can.owns_counts;
        let spec = self.situation.spec;
        let back = match from {
            0 => vec![Op::Remove { workload: workload.clone(), keep }],
            from if from > to => grow_back(&workload, Count::Exactly(from), &spec.check, spec.clocks),
            from => vec![Op::Ensure { workload: workload.clone(), count: Count::Exactly(from) }],
        };
        let (count, done, ready) = match owned {
            true => (Count::Leave, Fact::Asked { workload: workload.clone(), min: 1, max: u32::MAX }, Vec::new()),
            false => {
                let up_to = Fact::up_to(&workload, from.max(to));
                (Count::Exactly(to), Fact::asked(&workload, to), vec![up_to])
            }
        };
        let expect = Expect { ready, done: vec![done] };
        // fewer than there are: they must stop
        let deadline = if from > to { MAKE.max(stop_deadline(spec)) } else { MAKE };
        self.step("start", "Start the new", Op::Ensure { workload, count }, expect, Undo::Do { ops: back }, deadline);
    }

    /// Starts those again that are asked for and have ended.
    fn revive(&mut self, count: u32) {
        self.end_lodgers();
        self.started = true;
        let workload = self.situation.new.clone();
        // as many are asked for as before: only doing it tells whether it is done
        let expect = Expect { ready: vec![Fact::asked(&workload, count)], done: Vec::new() };
        let op = Op::Ensure { workload, count: Count::Exactly(count) };
        self.step("start", "Start the new", op, expect, Undo::Nothing, MAKE);
    }

    /// Waits until the new release is healthy, and checks it further, before it gets requests.
    pub(super) fn check(&mut self) {
        let spec = self.situation.spec;
        self.check_by("check", spec.check.clone(), spec.clocks);
        for smoke in &spec.smoke {
            self.check_by("smoke", smoke.clone(), spec.clocks);
        }
    }

    fn check_by(&mut self, verb: &'static str, check: Named, clocks: Clocks) {
        if self.situation.count() == 0 {
            return;
        }
        let op = Op::Check { workload: self.situation.new.clone(), check, clocks };
        self.step(verb, "Check the new", op, Expect::default(), Undo::Nothing, check_deadline(clocks));
    }

    /// Moves the service's requests. Nothing where nothing routes, or where they go to the same instances already.
    pub(super) fn route(&mut self, shares: Shares) {
        let Some(router) = self.situation.router.clone() else { return };
        if shares.of(&self.situation.new).is_some() {
            self.apply_coming();
        }
        let from = std::mem::replace(&mut self.situation.shares, shares.clone());
        // as many of the same release may be other instances by now
        let started = std::mem::take(&mut self.started) && shares.of(&self.situation.new).is_some();
        if from == shares && (!started || self.situation.can.owns_counts) {
            return;
        }
        let service = self.situation.spec.release.service.clone();
        let to =
            |shares: &Shares| Op::Route { router: router.clone(), service: service.clone(), shares: shares.clone() };
        let routed =
            |shares: &Shares| Fact::Routed { router: router.clone(), service: service.clone(), shares: shares.clone() };
        let leaves = |share: &&Share| from.of(&share.workload).is_none_or(|before| before.instances != share.instances);
        let drains = shares
            .iter()
            .filter(leaves)
            .map(|share| Op::Drain { router: router.clone(), workload: share.workload.clone() });
        let (undo, done) = match from == shares {
            true => (Undo::Nothing, Vec::new()),
            false => (Undo::Do { ops: [to(&from)].into_iter().chain(drains).collect() }, vec![routed(&shares)]),
        };
        let expect = Expect { ready: vec![routed(&from)], done };
        self.step("route", "Move the traffic", to(&shares), expect, undo, SLACK);
    }

    /// Lets requests end at the instances of a set that the routes leave out.
    pub(super) fn drain(&mut self, workload: &WorkloadRef) {
        let Some(router) = self.situation.router.clone() else { return };
        let deadline = drain_deadline(self.situation.spec);
        let op = Op::Drain { router, workload: workload.clone() };
        self.step("drain", "Move the traffic", op, Expect::default(), Undo::Nothing, deadline);
    }

    /// Watches the new release while all requests go to it.
    pub(super) fn bake(&mut self) {
        let (spec, Some(from)) = (self.situation.spec, self.after.last().cloned()) else { return };
        if spec.bake == Millis::ZERO || self.situation.count() == 0 {
            return;
        }
        let (check, interval) = (spec.check.clone(), spec.clocks.interval);
        let workload = self.situation.new.clone();
        let op = Op::Wait { time: spec.bake };
        let until = self.step("bake", "Bake", op, Expect::default(), Undo::Nothing, spec.bake.plus(SLACK));
        self.builder.guards.push(Guard {
            id: format!("{}/bake", spec.release.service).as_str().into(),
            watch: Watch::Check { workload, check, interval, failures: 3 },
            from,
            until,
            on_failure: OnFailure::Unwind,
        });
    }

    /// Makes an old set smaller; at zero it is stopped and kept. On the way back it grows and is checked again.
    pub(super) fn shrink(&mut self, old: usize, resize: Resize) {
        if resize.from == resize.to {
            return;
        }
        let undo = self.undo_of_stop(old, &resize.workload, Count::Exactly(resize.from));
        self.stop(resize, undo);
    }

    fn stop(&mut self, resize: Resize, undo: Undo) {
        self.end_lodgers();
        let Resize { workload, from, to } = resize;
        let deadline = stop_deadline(self.situation.spec);
        let expect = Expect { ready: vec![Fact::up_to(&workload, from)], done: vec![Fact::asked(&workload, to)] };
        let op = match to {
            0 => Op::Remove { workload, keep: true },
            to => Op::Ensure { workload, count: Count::Exactly(to) },
        };
        self.step("stop", "Stop the old", op, expect, undo, deadline);
    }

    fn undo_of_stop(&self, old: usize, workload: &WorkloadRef, count: Count) -> Undo {
        if self.situation.is_leftover(old) {
            return Undo::Nothing;
        }
        let Old { check, clocks, .. } = &self.situation.olds[old];
        Undo::Do { ops: grow_back(workload, count, check, *clocks) }
    }

    /// Takes an old set away where the backend owns the counts.
    pub(super) fn take_away(&mut self, old: usize) {
        let workload = self.situation.olds[old].workload.clone();
        let undo = self.undo_of_stop(old, &workload, Count::Leave);
        self.end_lodgers();
        let expect = Expect { ready: Vec::new(), done: vec![Fact::absent(&workload)] };
        let deadline = stop_deadline(self.situation.spec);
        self.step("stop", "Stop the old", Op::Remove { workload, keep: true }, expect, undo, deadline);
    }

    /// Has the backend replace an old set by the new release in place.
    pub(super) fn replace(&mut self, old: usize, pace: Pace) {
        self.end_lodgers();
        let Old { workload: from, check, clocks, .. } = self.situation.olds[old].clone();
        let new = self.situation.new.clone();
        let undo = Undo::Do {
            ops: vec![
                Op::Replace { workload: from.clone(), from: new.release.clone(), pace },
                Op::Check { workload: from.clone(), check, clocks },
            ],
        };
        let there = Fact::Asked { workload: new.clone(), min: 1, max: u32::MAX };
        let expect = Expect { ready: Vec::new(), done: vec![there, Fact::absent(&from)] };
        let clocks = self.situation.spec.clocks;
        let op = Op::Replace { workload: new, from: from.release, pace };
        self.step("replace", "Start the new", op, expect, undo, check_deadline(clocks).plus(MAKE));
    }

    /// What its failure means from here on: the last step must not take the only healthy version away.
    pub(super) fn halt_on_failure(&mut self) {
        let last = self.after.last();
        if let Some(step) = self.builder.steps.iter_mut().find(|step| Some(&step.id) == last) {
            step.on_failure = OnFailure::Halt;
        }
    }
}

/// Runs a set again, and looks at it before requests go there.
fn grow_back(workload: &WorkloadRef, count: Count, check: &Named, clocks: Clocks) -> Vec<Op> {
    let check = Op::Check { workload: workload.clone(), check: check.clone(), clocks };
    vec![Op::Ensure { workload: workload.clone(), count }, check]
}

/// When instances have stopped at the latest.
pub(crate) fn stop_deadline(spec: &ServiceSpec) -> Millis {
    spec.stop_by.plus(SLACK)
}

/// When a drain is over at the latest: its last [`SLACK`] isn't for waiting.
pub(crate) fn drain_deadline(spec: &ServiceSpec) -> Millis {
    spec.drain_by.plus(SLACK)
}

/// When a check is over at the latest.
pub(crate) fn check_deadline(clocks: Clocks) -> Millis {
    clocks.healthy_by.plus(clocks.healthy_for).plus(SLACK)
}
