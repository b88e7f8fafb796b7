//! Which backend gets the next request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::backend::{Backend, InFlight};

/// 2⁶⁴ divided by the golden ratio: multiples of it fill the number line more evenly than any other step does.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The backends of one revision of the routes. Immutable: a change swaps the whole table.
///
/// Backends of one release and one weight form a group. Which group is next is a sequence without chance: after any
/// number of requests each group got its share of them to within a few. So a release of weight 1 in 100 gets its one
/// request in 100 whatever its speed. Within a group the turn goes round, and yields to the next one in the round
/// when that has less in flight.
#[derive(Debug, Default)]
pub(crate) struct Table {
    backends: Vec<Arc<Backend>>,
    groups: Vec<Group>,
    total: u64,
    requests: AtomicU64,
}

#[derive(Debug)]
struct Group {
    /// The sum of the weights up to and including this group.
    upto: u64,
    weight: u32,
    members: Vec<Arc<Backend>>,
    turn: AtomicUsize,
}

impl Table {
    /// A table of backends with their weights.
    pub(crate) fn new(backends: Vec<(Arc<Backend>, u32)>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (backend, weight) in backends.iter().filter(|(_, weight)| *weight > 0) {
            let alike = groups
                .iter_mut()
                .find(|group| group.weight == *weight && group.members[0].spec().release == backend.spec().release);
            match alike {
                Some(group) => group.members.push(Arc::clone(backend)),
                None => groups.push(Group {
                    upto: 0,
                    weight: *weight,
                    members: vec![Arc::clone(backend)],
                    turn: AtomicUsize::new(0),
                }),
            }
        }
        let mut total = 0;
        for group in &mut groups {
            total += u64::from(group.weight) * group.members.len() as u64;
            group.upto = total;
        }
        let backends = backends.into_iter().map(|(backend, _)| backend).collect();
        Self { backends, groups, total, requests: AtomicU64::new(0) }
    }

    /// All backends, those of weight 0 too.
    pub(crate) fn backends(&self) -> &[Arc<Backend>] {
        &self.backends
    }

    /// Whether any backend receives.
    pub(crate) fn receives(&self) -> bool {
        self.total > 0
    }

    /// Counts a request in on the backend whose turn it is, not on `except` while there is another. `None` where no
    /// backend receives.
    pub(crate) fn enter(&self, except: Option<&Arc<Backend>>) -> Option<InFlight> {
        let next = self.next()?;
        let wanted = |backend: &&Arc<Backend>| except.is_none_or(|except| !Arc::ptr_eq(backend, except));
        if wanted(&next)
            && !next.rests()
            && let Some(in_flight) = next.enter()
        {
            return Some(in_flight);
        }
        // It has just left the routes, or refuses: another will do, best of its release.
        let all = || self.groups.iter().flat_map(|group| &group.members);
        let alike = all().filter(|other| other.spec().release == next.spec().release);
        alike
            .chain(all())
            .filter(|other| wanted(other) && !other.rests())
            .chain(std::iter::once(next).filter(wanted))
            .chain(all().filter(wanted))
            .chain(all())
            .find_map(Backend::enter)
    }

    /// The backend whose turn it is.
    pub(crate) fn next(&self) -> Option<&Arc<Backend>> {
        let group = match self.groups.as_slice() {
            [] => return None,
            [only] => only,
            groups => {
                let point = self.requests.fetch_add(1, Ordering::Relaxed).wrapping_mul(GOLDEN);
                let at = (u128::from(point) * u128::from(self.total)) >> 64;
                groups.iter().find(|group| at < u128::from(group.upto))?
            }
        };
        let count = group.members.len();
        let turn = group.turn.fetch_add(1, Ordering::Relaxed);
        let (first, second) = (&group.members[turn % count], &group.members[(turn + 1) % count]);
        Some(if second.in_flight() < first.in_flight() { second } else { first })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::control;

    fn backend(name: usize, release: &str) -> Arc<Backend> {
        let backend = Backend::new(control::Backend {
            instance: name.to_string().as_str().into(),
            release: release.into(),
            host: "127.0.0.1".into(),
            ports: BTreeMap::new(),
            weight: 0,
        });
        backend.open();
        backend
    }

    fn table(weights: &[u32]) -> Table {
        Table::new(weights.iter().enumerate().map(|(at, weight)| (backend(at, &format!("r{at}")), *weight)).collect())
    }

    /// How many of `requests` each backend got, one after the other.
    fn shares(table: &Table, requests: usize) -> Vec<u64> {
        let mut got = vec![0; table.backends.len()];
        for _ in 0..requests {
            let in_flight = table.enter(None).unwrap();
            got[in_flight.backend().spec().instance.0.parse::<usize>().unwrap()] += 1;
        }
        got
    }

    proptest! {
        /// Small weights are often equal, so that backends of one release form groups.
        #[test]
        fn shares_are_weights_at_every_moment(
            backends in proptest::collection::vec((prop_oneof![0..4_u32, 0..1000_u32], 0..3_usize), 1..8),
            requests in 1..5000_usize,
        ) {
            let total: u32 = backends.iter().map(|(weight, _)| weight).sum();
            prop_assume!(total > 0);
            let of = |(at, (weight, release)): (usize, &(u32, usize))| (backend(at, &format!("r{release}")), *weight);
            let got = shares(&Table::new(backends.iter().enumerate().map(of).collect()), requests);
            for (got, (weight, _)) in got.iter().zip(&backends) {
                let exact = requests as f64 * f64::from(*weight) / f64::from(total);
                prop_assert!((*got as f64 - exact).abs() < 6.0, "{got} of {requests}, expected {exact}: {backends:?}");
            }
        }

        #[test]
        fn one_release_shares_evenly(count in 1..12_usize, rounds in 1..50_usize) {
            let table = Table::new((0..count).map(|at| (backend(at, "r"), 7)).collect());
            prop_assert_eq!(shares(&table, count * rounds), vec![rounds as u64; count]);
        }
    }

    #[test]
    fn a_hundredth_is_a_hundredth() {
        let got = shares(&table(&[99, 1]), 10_000);
        assert!((98..=102).contains(&got[1]), "{got:?}");
    }

    #[test]
    fn a_busy_one_is_passed_over_within_its_release() {
        let table = Table::new((0..2).map(|at| (backend(at, "r"), 1)).collect());
        let busy: Vec<_> = (0..5).map(|_| table.backends[0].enter().unwrap()).collect();
        assert_eq!(shares(&table, 10), [0, 10]);
        drop(busy);
        assert_eq!(shares(&table, 10), [5, 5]);
    }

    #[test]
    fn weight_zero_and_closed_ones_get_nothing() {
        let table = table(&[0, 5, 5]);
        table.backends[1].close();
        assert_eq!(shares(&table, 10), [0, 0, 10]);
        table.backends[2].close();
        assert!(table.enter(None).is_none());
        assert!(Table::default().enter(None).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_refuses_rests_for_a_second() {
        let table = Table::new((0..2).map(|at| (backend(at, "r"), 1)).collect());
        tokio::time::advance(std::time::Duration::from_secs(9)).await;
        table.backends[0].connected(false);
        assert_eq!(shares(&table, 10), [0, 10]);
        table.backends[1].connected(false);
        assert_eq!(shares(&table, 10), [5, 5]);
        table.backends[1].connected(true);
        assert_eq!(shares(&table, 10), [0, 10]);
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert_eq!(shares(&table, 10), [5, 5]);
    }

    #[test]
    fn the_one_that_failed_is_asked_again_only_where_there_is_no_other() {
        let two = table(&[1, 1]);
        let failed = Arc::clone(&two.backends[0]);
        for _ in 0..10 {
            assert!(!Arc::ptr_eq(two.enter(Some(&failed)).unwrap().backend(), &failed));
        }
        let one = table(&[1]);
        let failed = Arc::clone(&one.backends[0]);
        assert!(one.enter(Some(&failed)).is_some());
    }
}
