//! Ports for instances, so that a stopped instance's address isn't another's at once.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::Path;

use deploy_core::target::TargetError;
use deploy_proxy::agent::file;

use crate::error::refused;

/// Below what the system gives to outgoing connections by default.
const RANGE: Range<u16> = 20_000..32_000;

/// The next free port, in turn: one that was used comes again only after all others. `start` differs between state
/// folders, so that two of them seldom meet. Call it under the folder's lock.
pub(crate) fn next(state: &Path, start: u16, taken: &BTreeSet<u16>) -> Result<u16, TargetError> {
    let path = state.join("port");
    let last = file::read(&path).map_err(refused)?;
    let last = last.and_then(|text| String::from_utf8(text).ok()?.trim().parse().ok());
    let count = RANGE.end - RANGE.start;
    let last: u16 = last.filter(|port| RANGE.contains(port)).unwrap_or(RANGE.start + start % count);
    let in_turn = (1..=count).map(|step| RANGE.start + (last - RANGE.start + step) % count);
    let free = in_turn.into_iter().find(|port| !taken.contains(port) && is_free(*port));
    let port = free.ok_or_else(|| TargetError::Rejected {
        why: format!(
            "expected a free port from {} to {}, but found none; stop what holds them",
            RANGE.start, RANGE.end
        ),
    })?;
    file::write(&path, port.to_string().as_bytes()).map_err(refused)?;
    Ok(port)
}

/// Whether nobody listens there.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_come_in_turn_and_taken_ones_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let none = BTreeSet::new();
        let first = next(folder.path(), 11_990, &none).unwrap();
        let second = next(folder.path(), 0, &none).unwrap();
        assert_ne!(first, second);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
        let after = |port: u16| RANGE.start + (port - RANGE.start + 1) % (RANGE.end - RANGE.start);
        let taken = BTreeSet::from([after(second)]);
        let third = next(folder.path(), 0, &taken).unwrap();
        assert!(!taken.contains(&third) && third != second);
    }
}
