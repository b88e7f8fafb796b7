use super::{
    behaviour::{Behaviour, Life, Phase},
    state::SimTime,
};
use crate::model::{Instance, InstanceState, Millis, Release};

/// One simulated instance.
#[derive(Debug)]
pub(super) struct SimInstance {
    pub(super) name: String,
    pub(super) ordinal: u32,
    pub(super) behaviour: Behaviour,
    pub(super) started: SimTime,
    pub(super) status: Status,
    /// Whether a probe saw it healthy since it was started.
    pub(super) seen: bool,
    pub(super) traffic: Traffic,
    /// When the controller stops it, which has taken its traffic away.
    pub(super) leaves_at: Option<SimTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Live,
    Stopping { until: SimTime, keep: bool },
    Kept,
}

/// What comes to an instance.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    /// New requests come.
    pub(super) routed: bool,
    /// When the last one came, or may still come: routes that were changed settle.
    pub(super) last: Option<SimTime>,
}

impl SimInstance {
    pub(super) fn life(&self, now: SimTime) -> Life {
        self.behaviour.life(Millis(now.0.saturating_sub(self.started.0)))
    }

    pub(super) fn is_live(&self) -> bool {
        self.status == Status::Live
    }

    /// Live, and not on its way out.
    pub(super) fn stays(&self) -> bool {
        self.is_live() && self.leaves_at.is_none()
    }

    /// Whether it is there to be asked for: also while it is being stopped.
    pub(super) fn is_asked(&self) -> bool {
        self.status != Status::Kept
    }

    /// Whether requests come.
    pub(super) fn gets(&self, now: SimTime) -> bool {
        self.traffic.routed || self.traffic.last.is_some_and(|last| last > now)
    }

    pub(super) fn answers(&self, now: SimTime) -> bool {
        self.is_live() && self.life(now).healthy
    }

    /// When the last request ends, where none comes any more.
    pub(super) fn quiet(&self, request: Millis) -> Option<SimTime> {
        self.traffic.last.map(|last| last.plus(request))
    }

    /// When it next does something else by itself.
    pub(super) fn next(&self, now: SimTime) -> impl Iterator<Item = SimTime> {
        let stopped = match self.status {
            Status::Stopping { until, .. } => Some(until),
            Status::Live | Status::Kept => None,
        };
        let age = Millis(now.0.saturating_sub(self.started.0));
        let life = self.behaviour.next(age).filter(|_| self.is_live()).map(|age| self.started.plus(age));
        [stopped, life, self.traffic.last, self.leaves_at].into_iter().flatten()
    }

    pub(super) fn start(&mut self, now: SimTime, behaviour: Behaviour) {
        self.behaviour = behaviour;
        self.started = now;
        self.status = Status::Live;
        self.seen = false;
        self.traffic = Traffic::default();
        self.leaves_at = None;
    }

    pub(super) fn keep(&mut self) {
        self.status = Status::Kept;
        self.seen = false;
        self.traffic = Traffic::default();
    }

    pub(super) fn observe(&self, now: SimTime) -> Instance {
        let life = self.life(now);
        let state = match (self.status, life.phase) {
            (Status::Kept, _) => InstanceState::Kept,
            (Status::Stopping { .. }, _) | (Status::Live, Phase::Running) => InstanceState::Running,
            (Status::Live, Phase::Starting) => InstanceState::Starting,
            (Status::Live, Phase::Dead) => InstanceState::Failed { reason: "exited with status 1".into() },
        };
        Instance { name: self.name.clone(), ordinal: self.ordinal, state, restarts: life.restarts }
    }

    /// What it has logged.
    pub(super) fn log(&self, release: &Release, now: SimTime) -> Vec<String> {
        let life = self.life(now);
        let mut lines = vec![format!("instance {} of {} starts", self.ordinal, release.id)];
        if life.listens {
            lines.push("listening".into());
        }
        if life.phase == Phase::Dead || life.restarts > 0 {
            lines.push("fatal: told to by the script".into());
        }
        lines
    }
}
