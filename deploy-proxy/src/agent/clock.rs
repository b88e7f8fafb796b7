//! Time that containers of one host share, and that no clock setting moves.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::Refusal;

/// Time since the host was started, sleep included.
pub(super) fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Which start of the host this is: times and processes of another one mean nothing now.
///
/// # Errors
/// [`Refusal::Storage`] where the system doesn't say.
pub fn boot_id() -> Result<String, Refusal> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let read = fs::read_to_string(path).map_err(|error| Refusal::storage("read", path, &error))?;
    Ok(read.trim().to_owned())
}
