//! What all connections of a proxy share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};
use tokio_util::task::TaskTracker;

use super::backend::{Backend, InFlight};
use super::closing::Closing;
use super::holding::Holding;
use super::table::Table;
use super::timeouts::Timeouts;
use crate::control::{InstanceName, ListenerSpec, Routes, Stats};

/// The table that requests are routed by, and what is known beside it.
#[derive(Debug)]
pub(crate) struct Serving {
    table: ArcSwap<Table>,
    /// All that are routed, and those gone that something is still in flight to. Looked at by commands only.
    known: Mutex<Vec<Arc<Backend>>>,
    holding: Holding,
    timeouts: Timeouts,
    closing: Closing,
    connections: TaskTracker,
}

impl Serving {
    pub(crate) fn new(timeouts: Timeouts) -> Self {
        Self {
            table: ArcSwap::default(),
            known: Mutex::default(),
            holding: Holding::new(),
            timeouts,
            closing: Closing::default(),
            connections: TaskTracker::new(),
        }
    }

    /// Counts a request in on a backend of the table in force (see [`Table::enter`]), without a lock.
    pub(crate) fn enter(&self, except: Option<&Arc<Backend>>) -> Option<InFlight> {
        let mut table = self.table.load();
        loop {
            if let Some(in_flight) = table.enter(except) {
                return Some(in_flight);
            }
            // A table is swapped before its backends are closed, so where all were, there is a newer one.
            let newer = self.table.load();
            if Arc::ptr_eq(&table, &newer) {
                return None;
            }
            table = newer;
        }
    }

    /// The same; where no backend receives, waits until one does, for as long as requests are held.
    pub(crate) async fn enter_in_time(&self, except: Option<&Arc<Backend>>) -> Option<InFlight> {
        if let Some(in_flight) = self.enter(except) {
            return Some(in_flight);
        }
        tokio::select! {
            in_flight = self.holding.until(self.timeouts.hold, || self.enter(except)) => in_flight,
            () = self.closing.wait() => None,
        }
    }

    /// The table in force, without a lock.
    pub(crate) fn table(&self) -> Guard<Arc<Table>> {
        self.table.load()
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    pub(crate) fn closing(&self) -> &Closing {
        &self.closing
    }

    pub(crate) fn connections(&self) -> &TaskTracker {
        &self.connections
    }

    /// Puts routes in force. When this returns, no request goes to an instance that isn't in them.
    pub(crate) fn apply(&self, routes: &Routes) {
        let mut known = self.known();
        let mut routed = Vec::with_capacity(routes.backends.len());
        for spec in &routes.backends {
            let backend = match known.iter().find(|backend| backend.is(spec)) {
                Some(backend) => Arc::clone(backend),
                None => Backend::new(spec.clone()),
            };
            if spec.weight > 0 {
                backend.open();
            }
            routed.push((backend, spec.weight));
        }
        let table = Arc::new(Table::new(routed.clone()));
        let someone_receives = table.receives();
        self.table.store(table);
        let receives =
            |backend: &Arc<Backend>| routed.iter().any(|(other, weight)| *weight > 0 && Arc::ptr_eq(backend, other));
        for backend in known.iter().filter(|backend| !receives(backend)) {
            backend.close();
        }
        for (backend, _) in &routed {
            if !known.iter().any(|other| Arc::ptr_eq(backend, other)) {
                known.push(Arc::clone(backend));
            }
        }
        self.forget(&mut known);
        self.holding.changed(someone_receives);
    }

    /// Every backend of that name: the one in the routes, and those of earlier routes that are still busy.
    pub(crate) fn named(&self, instance: &InstanceName) -> Vec<Arc<Backend>> {
        self.known().iter().filter(|backend| backend.spec().instance == *instance).cloned().collect()
    }

    pub(crate) fn stats(&self, listeners: Vec<ListenerSpec>) -> Stats {
        let mut known = self.known();
        self.forget(&mut known);
        Stats {
            listeners,
            clients: self.connections.len() as u64,
            backends: known.iter().map(|backend| backend.stats()).collect(),
        }
    }

    /// Closes connections that have been idle for too long.
    pub(crate) fn sweep(&self) {
        for backend in self.known().iter() {
            backend.pool.sweep(self.timeouts.upstream_idle);
        }
    }

    fn forget(&self, known: &mut Vec<Arc<Backend>>) {
        let table = self.table.load();
        known.retain(|backend| {
            backend.in_flight() > 0 || table.backends().iter().any(|routed| Arc::ptr_eq(routed, backend))
        });
    }

    fn known(&self) -> MutexGuard<'_, Vec<Arc<Backend>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::control;

    #[test]
    fn there_is_a_backend_at_every_moment_of_a_change() {
        let serving = Serving::new(Timeouts::default());
        let routes = |name: &str| Routes {
            backends: vec![control::Backend {
                instance: name.into(),
                release: "r".into(),
                host: "127.0.0.1".into(),
                ports: BTreeMap::new(),
                weight: 1,
            }],
            ..Routes::default()
        };
        serving.apply(&routes("a"));
        let end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !end.load(Ordering::Relaxed) {
                        assert!(serving.enter(None).is_some());
                    }
                });
            }
            for change in 0..5_000 {
                serving.apply(&routes(if change % 2 == 0 { "b" } else { "a" }));
            }
            end.store(true, Ordering::Relaxed);
        });
    }
}
