//! The lease on disk: who may deploy, until when, and the number that a stale deployer is refused by.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use deploy_core::lease::{Grant, LeaseEnd};
use deploy_core::model::{Fence, Millis};
use serde::{Deserialize, Serialize};

use super::clock::{boot_id, since_boot};
use super::state::Locked;
use super::{Refusal, State, file};

/// The format of `lease.json` that this version writes, and the newest that it reads.
pub const LEASE_FORMAT: u16 = 1;

/// How a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Standing {
    /// Somebody has it.
    Held,
    /// Its holder gave it back.
    Freed,
    /// Its holder is gone.
    Abandoned,
    /// Its holder hasn't been heard of for too long.
    Expired,
}

/// `lease.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Lease {
    fence: Fence,
    holder: String,
    state: Standing,
    /// Since the host's start.
    expires_ms: u64,
    /// Which start that was.
    boot_id: String,
}

impl Lease {
    fn left(&self) -> Duration {
        Duration::from_millis(self.expires_ms).saturating_sub(since_boot())
    }
}

/// A lease that was taken. While this value lives, or another one of the same fence, its holder lives: when the last
/// process that has one ends in whatever way, the lease is abandoned at once.
#[derive(Debug)]
pub struct Taken {
    /// What was granted.
    pub grant: Grant,
    alive: File,
}

impl State {
    /// Takes the lease if it is free, abandoned or expired; its fence is larger than any before.
    ///
    /// # Errors
    /// [`Refusal::Held`] while somebody has it.
    pub fn take(&self, holder: &str) -> Result<Taken, Refusal> {
        let lock = self.lock()?;
        let before = self.lease(&lock)?;
        let ended = match &before {
            None => LeaseEnd::Freed,
            Some(lease) => match self.standing(lease)? {
                Standing::Held => {
                    return Err(Refusal::Held { holder: lease.holder.clone(), left: lease.left().into() });
                }
                Standing::Freed => LeaseEnd::Freed,
                Standing::Abandoned => LeaseEnd::Abandoned,
                Standing::Expired => LeaseEnd::Expired,
            },
        };
        let known = before.map_or(Fence(0), |lease| lease.fence).max(self.newest_holder()?);
        let fence = Fence(known.0 + 1);
        let alive = self.hold(fence)?;
        let lease = Lease {
            fence,
            holder: holder.to_owned(),
            state: Standing::Held,
            expires_ms: self.expiry(),
            boot_id: boot_id()?,
        };
        let path = self.lease_path();
        file::write(&path, &file::versioned(&path, LEASE_FORMAT, &lease)?)?;
        self.forget_holders_before(fence);
        Ok(Taken { grant: Grant { fence, before: ended, ttl: Millis::from(self.ttl) }, alive })
    }

    /// Goes on holding a lease that its holder took through another agent, which is gone or about to leave.
    ///
    /// # Errors
    /// [`Refusal::NotHeld`] once somebody else took it, [`Refusal::Ended`] once it was given back or its time is over.
    pub fn retake(&self, fence: Fence) -> Result<Taken, Refusal> {
        let lock = self.lock()?;
        let mut lease = match self.lease(&lock)? {
            // nobody has taken it since that agent left
            Some(lease) if lease.state == Standing::Abandoned && lease.fence == fence => {
                Self::unless_expired(Lease { state: Standing::Held, ..lease }, fence)?
            }
            _ => self.held_by(&lock, fence)?,
        };
        let alive = self.hold(fence)?;
        lease.expires_ms = self.expiry();
        self.rewrite(&lease)?;
        Ok(Taken { grant: Grant { fence, before: LeaseEnd::Abandoned, ttl: Millis::from(self.ttl) }, alive })
    }

    /// Makes the lease hold for its time to live from now.
    ///
    /// # Errors
    /// [`Refusal::NotHeld`] once somebody else took it, [`Refusal::Ended`] once it has ended and nobody did.
    pub fn renew(&self, fence: Fence) -> Result<(), Refusal> {
        let lock = self.lock()?;
        let mut lease = self.held_by(&lock, fence)?;
        lease.expires_ms = self.expiry();
        self.rewrite(&lease)
    }

    /// Gives the lease back; one that was lost stays lost.
    pub(super) fn free(&self, fence: Fence) -> Result<(), Refusal> {
        self.end(&self.lock()?, fence, Standing::Freed)
    }

    /// Ends the lease for a holder that is gone, unless another agent goes on holding it.
    pub(super) fn leave(&self, taken: Taken, how: Standing) -> Result<(), Refusal> {
        let lock = self.lock()?;
        let Taken { grant: Grant { fence, .. }, alive } = taken;
        drop(alive);
        match self.has_holder(fence)? {
            true => Ok(()),
            false => self.end(&lock, fence, how),
        }
    }

    fn end(&self, lock: &Locked, fence: Fence, how: Standing) -> Result<(), Refusal> {
        match self.lease(lock)? {
            Some(mut lease) if lease.fence == fence && lease.state == Standing::Held => {
                lease.state = how;
                self.rewrite(&lease)
            }
            _ => Ok(()),
        }
    }

    /// Acts while the fence is the newest and its lease holds: nobody can take the lease until `act` is over, so `act`
    /// must be short.
    ///
    /// # Errors
    /// [`Refusal::NotHeld`] or [`Refusal::Ended`], before `act` has begun.
    pub fn while_held<T>(&self, fence: Fence, act: impl FnOnce() -> T) -> Result<T, Refusal> {
        let lock = self.lock()?;
        self.held_by(&lock, fence)?;
        Ok(act())
    }

    fn held_by(&self, lock: &Locked, ours: Fence) -> Result<Lease, Refusal> {
        let never = || Refusal::NotHeld { ours, newest: Fence(0), state: "never taken".to_owned() };
        Self::unless_expired(self.lease(lock)?.ok_or_else(never)?, ours)
    }

    fn unless_expired(lease: Lease, ours: Fence) -> Result<Lease, Refusal> {
        let not_held = |newest: Fence, state: &str| match newest == ours {
            true => Refusal::Ended { ours, state: state.to_owned() },
            false => Refusal::NotHeld { ours, newest, state: state.to_owned() },
        };
        // our own process lives, so what it took can't be abandoned
        let state = match lease.state {
            Standing::Held if lease.boot_id != boot_id()? || lease.left().is_zero() => Standing::Expired,
            state => state,
        };
        match state {
            Standing::Held if lease.fence == ours => Ok(lease),
            Standing::Held => Err(not_held(lease.fence, "held")),
            Standing::Freed => Err(not_held(lease.fence, "freed")),
            Standing::Abandoned => Err(not_held(lease.fence, "abandoned")),
            Standing::Expired => Err(not_held(lease.fence, "expired")),
        }
    }

    /// How a lease stands now, whatever its holder could still write down.
    fn standing(&self, lease: &Lease) -> Result<Standing, Refusal> {
        if lease.state != Standing::Held {
            return Ok(lease.state);
        }
        let holder = self.has_holder(lease.fence)?;
        Ok(if lease.boot_id != boot_id()? {
            Standing::Expired
        } else if !holder {
            Standing::Abandoned
        } else if lease.left().is_zero() {
            Standing::Expired
        } else {
            Standing::Held
        })
    }

    fn lease(&self, _: &Locked) -> Result<Option<Lease>, Refusal> {
        file::read_versioned(&self.lease_path(), LEASE_FORMAT)
    }

    /// Writes the lease under the fence that it had: losing this at a power cut does no harm.
    fn rewrite(&self, lease: &Lease) -> Result<(), Refusal> {
        let path = self.lease_path();
        let bytes = file::versioned(&path, LEASE_FORMAT, lease)?;
        file::replace(&path, &bytes).map_err(|error| Refusal::storage("write", &path, &error))
    }

    fn lease_path(&self) -> PathBuf {
        self.path("lease.json")
    }

    fn expiry(&self) -> u64 {
        Millis::from(since_boot().saturating_add(self.ttl)).0
    }

    fn holder_path(&self, fence: Fence) -> PathBuf {
        self.path(&format!("holder.{}", fence.0))
    }

    /// Whether a process lives that has taken it.
    fn has_holder(&self, fence: Fence) -> Result<bool, Refusal> {
        let path = self.holder_path(fence);
        match File::open(&path) {
            Ok(file) => Ok(file.try_lock().is_err()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Refusal::storage("open", &path, &error)),
        }
    }

    /// Locks a file for as long as the holder's process lives; several of its agents may.
    fn hold(&self, fence: Fence) -> Result<File, Refusal> {
        let path = self.holder_path(fence);
        let open = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&path);
        let locked = open.and_then(|file| file.try_lock_shared().map(|()| file).map_err(std::io::Error::from));
        locked.map_err(|error| Refusal::storage("lock", &path, &error))
    }

    fn holders(&self) -> Result<Vec<Fence>, Refusal> {
        let entries = fs::read_dir(self.folder());
        let entries = entries.map_err(|error| Refusal::storage("read", self.folder(), &error))?;
        let number = |name: &str| name.strip_prefix("holder.")?.parse().ok().map(Fence);
        Ok(entries.flatten().filter_map(|entry| number(entry.file_name().to_str()?)).collect())
    }

    /// The newest fence that was ever held, even where `lease.json` was moved away.
    fn newest_holder(&self) -> Result<Fence, Refusal> {
        Ok(self.holders()?.into_iter().max().unwrap_or_default())
    }

    /// Takes the files of holders away that can't come back; what stays is taken away the next time.
    fn forget_holders_before(&self, fence: Fence) {
        for older in self.holders().unwrap_or_default().into_iter().filter(|holder| *holder < fence) {
            // the lease is taken already: this one's failure must not lose it
            let _ = file::remove(&self.holder_path(older));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(15);

    fn state(ttl: Duration) -> (tempfile::TempDir, State) {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path(), ttl).unwrap();
        (folder, state)
    }

    fn edit(state: &State, change: impl FnOnce(&mut serde_json::Value)) {
        let mut lease = serde_json::from_slice(&fs::read(state.lease_path()).unwrap()).unwrap();
        change(&mut lease);
        fs::write(state.lease_path(), lease.to_string()).unwrap();
    }

    #[test]
    fn each_taking_has_a_larger_fence_and_tells_how_the_one_before_ended() {
        let (_folder, state) = state(TTL);
        let first = state.take("a").unwrap();
        assert_eq!((first.grant.fence, first.grant.before, first.grant.ttl), (Fence(1), LeaseEnd::Freed, TTL.into()));
        state.free(Fence(1)).unwrap();
        let second = state.take("b").unwrap();
        assert_eq!((second.grant.fence, second.grant.before), (Fence(2), LeaseEnd::Freed));
        state.leave(second, Standing::Expired).unwrap();
        assert_eq!(state.take("c").unwrap().grant.before, LeaseEnd::Expired);
    }

    #[test]
    fn a_held_lease_is_refused_with_its_holder() {
        let (_folder, state) = state(TTL);
        let first = state.take("ann on host").unwrap();
        let refused = state.take("ben").unwrap_err();
        assert!(
            matches!(&refused, Refusal::Held { holder, left } if holder == "ann on host" && left.0 <= 15_000),
            "{refused:?}"
        );
        drop(first);
        let second = state.take("ben").unwrap();
        assert_eq!((second.grant.fence, second.grant.before), (Fence(2), LeaseEnd::Abandoned));
    }

    #[test]
    fn what_expired_or_comes_from_another_boot_is_takeable_and_holds_for_nobody() {
        let changes: [fn(&mut serde_json::Value); 2] =
            [|lease| lease["expires_ms"] = 1.into(), |lease| lease["boot_id"] = "another".into()];
        for change in changes {
            let (_folder, state) = state(TTL);
            let first = state.take("a").unwrap();
            state.renew(first.grant.fence).unwrap();
            edit(&state, change);
            let refused = state.renew(first.grant.fence).unwrap_err();
            let ended =
                "expected fence 1 to hold the lease, but its lease has ended (expired); run the same command again";
            assert_eq!(refused.to_string(), ended);
            assert!(state.while_held(first.grant.fence, || ()).is_err());
            let second = state.take("b").unwrap();
            assert_eq!((second.grant.fence, second.grant.before), (Fence(2), LeaseEnd::Expired));
        }
    }

    #[test]
    fn a_stale_fence_is_refused_and_ends_nothing() {
        let (_folder, state) = state(TTL);
        drop(state.take("a").unwrap());
        let second = state.take("b").unwrap();
        let stale = Refusal::NotHeld { ours: Fence(1), newest: Fence(2), state: "held".into() };
        assert_eq!(state.renew(Fence(1)).unwrap_err(), stale);
        assert_eq!(state.while_held(Fence(1), || panic!("acted")).unwrap_err(), stale);
        state.free(Fence(1)).unwrap();
        assert_eq!(state.while_held(second.grant.fence, || 7).unwrap(), 7);
    }

    #[test]
    fn another_agent_of_the_holder_goes_on_while_the_first_is_there_and_after_it_left() {
        for leaves_first in [false, true] {
            let (_folder, state) = state(TTL);
            let first = state.take("a").unwrap();
            let second = if leaves_first {
                state.leave(first, Standing::Abandoned).unwrap();
                state.retake(Fence(1)).unwrap()
            } else {
                let second = state.retake(Fence(1)).unwrap();
                state.leave(first, Standing::Abandoned).unwrap();
                second
            };
            state.renew(Fence(1)).unwrap();
            assert!(matches!(state.take("b"), Err(Refusal::Held { holder, .. }) if holder == "a"), "{leaves_first}");
            drop(second);
            assert_eq!(state.take("b").unwrap().grant.before, LeaseEnd::Abandoned);
        }
    }

    #[test]
    fn what_is_over_is_not_taken_again_under_the_same_fence() {
        let over = |end: fn(&State, Taken), word: &str| {
            let (_folder, state) = state(TTL);
            end(&state, state.take("a").unwrap());
            let refused = state.retake(Fence(1)).unwrap_err();
            let (Refusal::NotHeld { state, .. } | Refusal::Ended { state, .. }) = &refused else {
                panic!("{word}: {refused:?}");
            };
            assert_eq!((state.as_str(), matches!(refused, Refusal::NotHeld { .. })), (word, word == "held"));
        };
        over(|state, _| state.free(Fence(1)).unwrap(), "freed");
        over(|state, taken| state.leave(taken, Standing::Expired).unwrap(), "expired");
        over(|state, _| edit(state, |lease| lease["expires_ms"] = 1.into()), "expired");
        over(
            |state, taken| {
                state.leave(taken, Standing::Abandoned).unwrap();
                edit(state, |lease| lease["expires_ms"] = 1.into());
            },
            "expired",
        );
        over(
            |state, taken| {
                drop(taken);
                std::mem::forget(state.take("b").unwrap());
            },
            "held",
        );
    }

    #[test]
    fn a_fence_never_counts_again_from_one() {
        let (_folder, state) = state(TTL);
        for _ in 0..3 {
            drop(state.take("a").unwrap());
        }
        fs::remove_file(state.lease_path()).unwrap();
        assert_eq!(state.take("b").unwrap().grant.fence, Fence(4));
        let holders: Vec<_> = state.holders().unwrap();
        assert_eq!(holders, [Fence(4)]);
    }

    #[test]
    fn a_newer_or_damaged_lease_is_refused_and_left_as_it_is() {
        let (_folder, state) = state(TTL);
        drop(state.take("a").unwrap());
        edit(&state, |lease| lease["min_reader"] = 9.into());
        assert!(matches!(state.take("b"), Err(Refusal::NewerState { needed: 9, .. })));
        fs::write(state.lease_path(), b"{\"format\":1,").unwrap();
        assert!(matches!(state.take("b"), Err(Refusal::DamagedState { .. })));
        assert_eq!(fs::read(state.lease_path()).unwrap(), b"{\"format\":1,");
    }

    #[test]
    fn of_many_takers_one_wins() {
        let (_folder, state) = state(TTL);
        let won: Vec<_> = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..8)
                .map(|n| {
                    scope.spawn({
                        let state = &state;
                        move || state.take(&n.to_string())
                    })
                })
                .collect();
            takers.into_iter().map(|taker| taker.join().unwrap()).collect()
        });
        assert_eq!(won.iter().filter(|taken| taken.is_ok()).count(), 1);
        assert!(won.iter().all(|taken| matches!(taken, Ok(_) | Err(Refusal::Held { .. }))), "{won:?}");
    }
}
