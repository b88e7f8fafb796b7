//! What is mounted into a container.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Key, is_default, put};
use crate::{
    declared::Kind,
    paths,
    read::At,
    units::{ByteSize, SIZE},
};

/// One mount of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The absolute path inside the container.
    pub target: String,
    /// Whether the container may not write to it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_only: bool,
    /// What is mounted.
    #[serde(flatten)]
    pub kind: MountKind,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MountKind {
    /// A volume of the Engine.
    Volume {
        /// The volume's key in the file; `None` is an anonymous volume.
        #[serde(default, skip_serializing_if = "is_default")]
        source: Option<Key>,
        /// Whether a new volume stays empty instead of getting what the image has at the target.
        #[serde(default, skip_serializing_if = "is_default")]
        no_copy: bool,
        /// The part of the volume that is mounted.
        #[serde(default, skip_serializing_if = "is_default")]
        subpath: Option<String>,
    },
    /// A file or folder of the host.
    Bind(Bind),
    /// Memory.
    Tmpfs(Tmpfs),
}

/// A file or folder of the host in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// The path on the host, absolute if the project directory is.
    pub source: PathBuf,
    /// Whether a missing path is created as a folder.
    #[serde(default, skip_serializing_if = "is_default")]
    pub create_host_path: bool,
    /// How mounts inside of it are shared, such as `rslave`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub propagation: Option<String>,
    /// The SELinux label: `z` for shared, `Z` for private content.
    #[serde(default, skip_serializing_if = "is_default")]
    pub selinux: Option<char>,
}

/// Memory that looks like a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tmpfs {
    /// The most it may hold.
    #[serde(skip_serializing_if = "is_default")]
    pub size: Option<ByteSize>,
    /// The folder's mode bits.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: Option<u32>,
}

const SHORT: &str = "a mount such as data:/var/lib/data, ./conf:/etc/conf:ro or /anonymous";
const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];

impl Mount {
    /// The mounts of a service; of two with the same target the later one stands.
    pub(crate) fn read_all(at: &At<'_>) -> Vec<Self> {
        let mut mounts = Vec::new();
        for at in at.items() {
            let mount = if at.is_map() { Self::read_long(&at) } else { Self::read_short(&at) };
            if let Some(mount) = mount {
                put(&mut mounts, mount, |a, b| a.target == b.target);
            }
        }
        mounts
    }

    /// `[SOURCE:]TARGET[:OPTIONS]`.
    fn read_short(at: &At<'_>) -> Option<Self> {
        let text = at.text()?;
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, options) = match parts[..] {
            [target] => (None, target, ""),
            [source, target] if target.starts_with('/') => (Some(source), target, ""),
            [target, options] if target.starts_with('/') => (None, target, options),
            [source, target, options] => (Some(source), target, options),
            _ => return at.or_expected(None, SHORT),
        };
        if source == Some("") || !target.starts_with('/') {
            return at.or_expected(None, SHORT);
        }
        let mut mount = match source {
            Some(path) if paths::is_path(path) => Self::bind(at, path, target),
            source => {
                let source = match source {
                    Some(key) => Some(at.declared(Kind::Volume, at.place(), key)?),
                    None => None,
                };
                Self {
                    target: target.to_owned(),
                    read_only: false,
                    kind: MountKind::Volume { source, no_copy: false, subpath: None },
                }
            }
        };
        for option in options.split(',').filter(|option| !option.is_empty()) {
            mount.set_option(at, option);
        }
        Some(mount)
    }

    fn bind(at: &At<'_>, path: &str, target: &str) -> Self {
        let source = paths::resolve(at.cx.directory, path, at.cx.environment);
        let bind = Bind { source, create_host_path: true, propagation: None, selinux: None };
        Self { target: target.to_owned(), read_only: false, kind: MountKind::Bind(bind) }
    }

    fn set_option(&mut self, at: &At<'_>, option: &str) {
        match (option, &mut self.kind) {
            ("ro", _) => self.read_only = true,
            ("rw", _) => self.read_only = false,
            ("cached" | "delegated" | "consistent", _) => at.ignore(CONSISTENCY),
            ("z", MountKind::Bind(bind)) => bind.selinux = Some('z'),
            ("Z", MountKind::Bind(bind)) => bind.selinux = Some('Z'),
            (option, MountKind::Bind(bind)) if PROPAGATIONS.contains(&option) => {
                bind.propagation = Some(option.to_owned());
            }
            ("nocopy", MountKind::Volume { no_copy, .. }) => *no_copy = true,
            _ => at.expected("a mount whose options are ro, rw, z, Z, nocopy or a propagation such as rslave"),
        }
    }

    fn read_long(at: &At<'_>) -> Option<Self> {
        let mut fields = at.fields();
        let kind = fields.text("type");
        let target = fields.take("target").or_else(|| at.or_expected(None, "a map with the key `target`"));
        let target = target.and_then(|at| at.parsed("an absolute path", |t| t.starts_with('/').then(|| t.to_owned())));
        let source = fields.take("source");
        let read_only = fields.flag("read_only").unwrap_or(false);
        fields.ignore("consistency", CONSISTENCY);
        let kind = match kind.as_deref() {
            Some("volume") => {
                let mut options = fields.take("volume").map(|at| at.fields());
                let source = match &source {
                    Some(at) => Some(at.declared(Kind::Volume, at.place(), &at.text()?)?),
                    None => None,
                };
                let no_copy = options.as_mut().and_then(|options| options.flag("nocopy")).unwrap_or(false);
                let subpath = options.as_mut().and_then(|options| options.text("subpath"));
                options.into_iter().for_each(|options| options.finish());
                Some(MountKind::Volume { source, no_copy, subpath })
            }
            Some("bind") => {
                let path = source.as_ref().or_else(|| at.or_expected(None, "a map with the key `source`"));
                let path = path.and_then(At::text);
                let mut options = fields.take("bind").map(|at| at.fields());
                let bind = path.map(|path| Bind {
                    source: paths::resolve(at.cx.directory, &path, at.cx.environment),
                    create_host_path: options.as_mut().and_then(|o| o.flag("create_host_path")).unwrap_or(true),
                    propagation: options.as_mut().and_then(|o| o.take("propagation")).and_then(|at| {
                        at.parsed("a propagation such as rprivate, rshared or rslave", |text| {
                            PROPAGATIONS.contains(&text).then(|| text.to_owned())
                        })
                    }),
                    selinux: options
                        .as_mut()
                        .and_then(|o| o.take("selinux"))
                        .and_then(|at| at.parsed("z or Z", |t| t.chars().next().filter(|c| matches!(c, 'z' | 'Z')))),
                });
                options.into_iter().for_each(|options| options.finish());
                if let (Some(bind), Some(source)) = (&bind, &source)
                    && bind.selinux.is_some()
                    && bind.source.to_string_lossy().contains(':')
                {
                    source.expected("a path without a colon beside `selinux`, which the Engine can't set on others");
                }
                bind.map(MountKind::Bind)
            }
            Some("tmpfs") => {
                let mut options = fields.take("tmpfs").map(|at| at.fields());
                let size =
                    options.as_mut().and_then(|o| o.take("size")).and_then(|at| at.parsed(SIZE, ByteSize::parse));
                let mode = options.as_mut().and_then(|o| o.take("mode")).and_then(|at| at.mode());
                options.into_iter().for_each(|options| options.finish());
                Some(MountKind::Tmpfs(Tmpfs { size, mode }))
            }
            Some(other) => {
                at.problem(format!(
                    "expected a mount of type volume, bind or tmpfs, but found {other}, which is valid Compose but not \
                     supported yet"
                ));
                return None;
            }
            None => None,
        };
        fields.finish();
        Some(Self { target: target?, read_only, kind: kind? })
    }
}

const CONSISTENCY: &str = "a hint for Docker Desktop; it has no effect";
