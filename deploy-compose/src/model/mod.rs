//! The typed model.

mod attachment;
mod build;
mod dependency;
mod device;
mod grant;
mod healthcheck;
mod isolation;
mod logging;
mod mount;
mod name;
mod network;
mod port;
mod project;
mod resources;
mod restart;
mod security;
mod service;
mod service_read;
mod source;
mod update;
mod volume;

pub use attachment::{Attachment, NetworkMode};
pub use build::{Build, BuildContext};
pub use dependency::{Condition, Dependency};
pub use device::{Device, DeviceCount, DeviceRequest};
pub use grant::Grant;
pub use healthcheck::{Healthcheck, Test};
pub use isolation::{CgroupNamespace, Isolation, Namespace, Technology, Ulimit};
pub use logging::Logging;
pub use mount::{Bind, Mount, MountKind, Tmpfs};
pub use name::{Key, ServiceName};
pub use network::{Ipam, IpamPool, Network};
pub use port::{ExposedPort, Port, PortRange, Protocol};
pub use project::Project;
pub use resources::{BlockIo, DeviceRate, Resources, SwapLimit};
pub use restart::Restart;
pub use service::{PullPolicy, Service};
pub use source::{Content, ContentError, FileObject, Source};
pub use update::{FailureAction, Order, UpdateConfig};
pub use volume::Volume;

/// Fields with their usual value are left out of the serialised form, so that it doesn't change when fields are added.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Adds to a list whose entries are unique: an entry that means the same takes the place of the earlier one.
pub(crate) fn put<T>(list: &mut Vec<T>, entry: T, is_same: impl Fn(&T, &T) -> bool) {
    match list.iter_mut().find(|earlier| is_same(earlier, &entry)) {
        Some(earlier) => *earlier = entry,
        None => list.push(entry),
    }
}

/// Each text once, in the order of their first appearance.
pub(crate) fn unique(texts: Vec<String>) -> Vec<String> {
    let mut unique = Vec::with_capacity(texts.len());
    texts.into_iter().for_each(|text| put(&mut unique, text, String::eq));
    unique
}
