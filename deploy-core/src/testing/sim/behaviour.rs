use crate::model::Millis;

/// How an instance of a release behaves, counted from each of its starts. A world stretches `starts` and `healthy` by up
/// to a half, by its seed, so that instances differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Until it runs.
    pub starts: Millis,
    /// Until it listens and is healthy; absent: never.
    pub healthy: Option<Millis>,
    /// Until it is no longer healthy, though it runs; absent: never.
    pub sick: Option<Millis>,
    /// Until it exits by itself; absent: never.
    pub dies: Option<Millis>,
    /// The pause after which it is started again by itself when it exited; absent: it stays down.
    pub restarts: Option<Millis>,
    /// How long it takes to stop when told.
    pub stops: Millis,
}

/// What an instance does at some age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) phase: Phase,
    pub(super) listens: bool,
    pub(super) healthy: bool,
    pub(super) restarts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Running,
    Dead,
}

impl Behaviour {
    /// Runs after 100 ms, is healthy after 300 ms and stays so.
    pub const GOOD: Self = Self {
        starts: Millis(100),
        healthy: Some(Millis(300)),
        sick: None,
        dies: None,
        restarts: None,
        stops: Millis(50),
    };

    /// Runs, but never answers.
    pub const fn never_healthy() -> Self {
        Self { healthy: None, ..Self::GOOD }
    }

    /// Exits as soon as it was started.
    pub const fn exits_at_once() -> Self {
        Self { dies: Some(Millis(10)), ..Self::GOOD }
    }

    /// Is healthy, and exits after so long.
    pub const fn dies_after(time: Millis) -> Self {
        Self { dies: Some(time), ..Self::GOOD }
    }

    /// Is healthy, and after so long answers errors.
    pub const fn sick_after(time: Millis) -> Self {
        Self { sick: Some(time), ..Self::GOOD }
    }

    /// The same, started again by itself after every exit.
    pub const fn restarting(self) -> Self {
        Self { restarts: Some(Millis(200)), ..self }
    }

    /// What it does `age` after it was started.
    pub(super) fn life(&self, age: Millis) -> Life {
        let (age, restarts) = self.in_cycle(age);
        let passed = |moment: Option<Millis>| moment.is_some_and(|moment| age >= moment);
        let phase = match () {
            () if passed(self.dies) => {
                if self.restarts.is_some() {
                    Phase::Starting
                } else {
                    Phase::Dead
                }
            }
            () if age >= self.starts => Phase::Running,
            () => Phase::Starting,
        };
        let listens = phase == Phase::Running && passed(self.healthy);
        Life { phase, listens, healthy: listens && !passed(self.sick), restarts }
    }

    /// The age at which it next does something else.
    pub(super) fn next(&self, age: Millis) -> Option<Millis> {
        let (inner, _) = self.in_cycle(age);
        let moments = [Some(self.starts), self.healthy, self.sick, self.dies, self.cycle()];
        let next = moments.into_iter().flatten().filter(|moment| *moment > inner).min()?;
        (self.dies.is_none_or(|dies| inner < dies) || self.restarts.is_some())
            .then(|| age.plus(Millis(next.0 - inner.0)))
    }

    /// The length of one life with the pause after it.
    fn cycle(&self) -> Option<Millis> {
        Some(self.dies?.plus(self.restarts?).max(Millis(20)))
    }

    fn in_cycle(&self, age: Millis) -> (Millis, u32) {
        match self.cycle() {
            Some(cycle) => (Millis(age.0 % cycle.0), u32::try_from(age.0 / cycle.0).unwrap_or(u32::MAX)),
            None => (age, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_goes_by_its_script() {
        let phases = |behaviour: Behaviour, age| {
            let life = behaviour.life(Millis(age));
            (life.phase, life.healthy)
        };
        let dies = Behaviour::dies_after(Millis(1000));
        assert_eq!(phases(dies, 99), (Phase::Starting, false));
        assert_eq!(phases(dies, 100), (Phase::Running, false));
        assert_eq!(phases(dies, 300), (Phase::Running, true));
        assert_eq!(phases(dies, 1000), (Phase::Dead, false));
        assert_eq!(phases(Behaviour::sick_after(Millis(400)), 400), (Phase::Running, false));
        assert_eq!(phases(dies.restarting(), 1100), (Phase::Starting, false));
        assert_eq!(phases(dies.restarting(), 1500), (Phase::Running, true));
        assert_eq!(dies.restarting().life(Millis(1500)).restarts, 1);
    }

    #[test]
    fn every_change_of_a_life_is_announced() {
        for behaviour in [
            Behaviour::GOOD,
            Behaviour::never_healthy(),
            Behaviour::exits_at_once(),
            Behaviour::exits_at_once().restarting(),
            Behaviour::dies_after(Millis(700)).restarting(),
            Behaviour::sick_after(Millis(900)),
        ] {
            let mut announced = vec![0];
            while let Some(next) = behaviour.next(Millis(*announced.last().unwrap())).filter(|next| next.0 <= 3000) {
                announced.push(next.0);
            }
            let changes = (1..=3000).filter(|age| behaviour.life(Millis(*age)) != behaviour.life(Millis(age - 1)));
            for change in changes {
                assert!(announced.contains(&change), "{behaviour:?} changes at {change}, announced: {announced:?}");
            }
        }
    }
}
