//! What a container may use of the host.

use serde::{Deserialize, Serialize};

use super::{DeviceRequest, is_default};
use crate::{
    read::{At, Fields},
    units::{ByteSize, NanoCpus, SIZE, parse_duration},
};

/// Limits and reservations, from the service's own fields and from `deploy.resources`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// The most CPU time.
    #[serde(skip_serializing_if = "is_default")]
    pub cpus: Option<NanoCpus>,
    /// Weight against other containers.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_shares: Option<i64>,
    /// The scheduler's period in microseconds.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_period: Option<i64>,
    /// Microseconds of CPU time in a period.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_quota: Option<i64>,
    /// The real-time scheduler's period in microseconds.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_rt_period: Option<i64>,
    /// Microseconds of real-time CPU time in a period.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_rt_runtime: Option<i64>,
    /// The CPUs that may be used, such as `0-3`.
    #[serde(skip_serializing_if = "is_default")]
    pub cpuset: Option<String>,
    /// The most memory.
    #[serde(skip_serializing_if = "is_default")]
    pub memory: Option<ByteSize>,
    /// The memory that is kept free for it.
    #[serde(skip_serializing_if = "is_default")]
    pub memory_reservation: Option<ByteSize>,
    /// The most memory and swap space together.
    #[serde(skip_serializing_if = "is_default")]
    pub memory_swap: Option<SwapLimit>,
    /// How readily memory is swapped out, from 0 to 100.
    #[serde(skip_serializing_if = "is_default")]
    pub memory_swappiness: Option<u8>,
    /// The most processes; -1 is without limit.
    #[serde(skip_serializing_if = "is_default")]
    pub pids: Option<i64>,
    /// Whether it is spared when memory runs out.
    #[serde(skip_serializing_if = "is_default")]
    pub oom_kill_disable: bool,
    /// How likely it is chosen when memory runs out, from -1000 to 1000.
    #[serde(skip_serializing_if = "is_default")]
    pub oom_score_adj: Option<i16>,
    /// The size of `/dev/shm`.
    #[serde(skip_serializing_if = "is_default")]
    pub shm_size: Option<ByteSize>,
    /// Weights and rates of block devices.
    #[serde(skip_serializing_if = "is_default")]
    pub block_io: Option<BlockIo>,
    /// Devices that drivers give out, such as GPUs.
    #[serde(skip_serializing_if = "is_default")]
    pub device_requests: Vec<DeviceRequest>,
}

/// The most memory and swap space together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwapLimit {
    /// As much swap space as there is.
    Unlimited,
    /// So many bytes.
    Bytes(ByteSize),
}

/// Weights and rates of block devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockIo {
    /// Weight against other containers, from 10 to 1000.
    #[serde(skip_serializing_if = "is_default")]
    pub weight: Option<u16>,
    /// Weights by device.
    #[serde(skip_serializing_if = "is_default")]
    pub weight_device: Vec<DeviceRate>,
    /// Bytes read a second by device.
    #[serde(skip_serializing_if = "is_default")]
    pub device_read_bps: Vec<DeviceRate>,
    /// Reads a second by device.
    #[serde(skip_serializing_if = "is_default")]
    pub device_read_iops: Vec<DeviceRate>,
    /// Bytes written a second by device.
    #[serde(skip_serializing_if = "is_default")]
    pub device_write_bps: Vec<DeviceRate>,
    /// Writes a second by device.
    #[serde(skip_serializing_if = "is_default")]
    pub device_write_iops: Vec<DeviceRate>,
}

/// A weight or a rate of one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRate {
    /// The device, such as `/dev/sda`.
    pub path: String,
    /// The weight, or the rate a second.
    pub rate: u64,
}

const SWAP_SIZE: &str = "-1 or a size such as 512m, 1.5gb or a number of bytes";

impl Resources {
    /// Takes the fields of a service that say what it may use.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        let mut resources = Self {
            cpus: fields.take("cpus").and_then(|at| cpus(&at)),
            cpu_shares: fields.whole("cpu_shares", "a whole number"),
            cpu_period: fields.take("cpu_period").and_then(|at| microseconds(&at)),
            cpu_quota: fields.take("cpu_quota").and_then(|at| microseconds(&at)),
            cpu_rt_period: fields.take("cpu_rt_period").and_then(|at| microseconds(&at)),
            cpu_rt_runtime: fields.take("cpu_rt_runtime").and_then(|at| microseconds(&at)),
            cpuset: fields.text("cpuset"),
            memory: fields.size("mem_limit"),
            memory_reservation: fields.size("mem_reservation"),
            memory_swap: fields.take("memswap_limit").and_then(|at| {
                at.parsed(SWAP_SIZE, |text| match text {
                    "-1" => Some(SwapLimit::Unlimited),
                    text => ByteSize::parse(text).map(SwapLimit::Bytes),
                })
            }),
            memory_swappiness: fields.whole("mem_swappiness", "a whole number from 0 to 100"),
            pids: fields.whole("pids_limit", "a whole number"),
            oom_kill_disable: fields.flag("oom_kill_disable").unwrap_or(false),
            oom_score_adj: fields.whole("oom_score_adj", "a whole number from -1000 to 1000"),
            shm_size: fields.size("shm_size"),
            block_io: fields.take("blkio_config").map(|at| BlockIo::read(&at)),
            device_requests: Vec::new(),
        };
        if let Some(at) = fields.take("gpus") {
            resources.device_requests = if at.is_list() {
                at.items().iter().map(|at| DeviceRequest::read(at, true)).collect()
            } else {
                at.parsed("`all` or a list", |text| (text == "all").then(DeviceRequest::all_gpus)).into_iter().collect()
            };
        }
        resources
    }

    /// Adds `deploy.resources`; a limit that the service's own field gives otherwise is a problem.
    pub(crate) fn add_deploy(&mut self, at: &At<'_>) {
        let mut fields = at.fields();
        if let Some(at) = fields.take("limits") {
            let mut limits = at.fields();
            agree(&mut self.cpus, limits.take("cpus"), "cpus", cpus);
            agree(&mut self.memory, limits.take("memory"), "mem_limit", |at| at.parsed(SIZE, ByteSize::parse));
            agree(&mut self.pids, limits.take("pids"), "pids_limit", |at| at.whole("a whole number"));
            limits.finish();
        }
        if let Some(at) = fields.take("reservations") {
            let mut reservations = at.fields();
            reservations.ignore("cpus", "only a Swarm reserves CPU time");
            reservations.ignore("generic_resources", "only a Swarm has generic resources");
            let memory = reservations.take("memory");
            agree(&mut self.memory_reservation, memory, "mem_reservation", |at| at.parsed(SIZE, ByteSize::parse));
            if let Some(at) = reservations.take("devices") {
                self.device_requests.extend(at.items().iter().map(|at| DeviceRequest::read(at, false)));
            }
            reservations.finish();
        }
        fields.finish();
    }
}

/// Two fields that mean the same must not say different things.
fn agree<T: PartialEq>(own: &mut Option<T>, at: Option<At<'_>>, field: &str, read: impl Fn(&At<'_>) -> Option<T>) {
    let Some(at) = at else { return };
    let value = read(&at);
    if own.is_some() && value.is_some() && *own != value {
        at.expected(&format!("the same value as in `{field}`"));
    }
    if own.is_none() {
        *own = value;
    }
}

fn cpus(at: &At<'_>) -> Option<NanoCpus> {
    at.parsed("a number of CPUs such as 0.5", NanoCpus::parse)
}

fn microseconds(at: &At<'_>) -> Option<i64> {
    at.parsed("a number of microseconds or a duration such as 1ms", |text| {
        text.parse().ok().or_else(|| i64::try_from(parse_duration(text)?.as_micros()).ok())
    })
}

impl Fields<'_> {
    /// A number of bytes.
    pub(crate) fn size(&mut self, key: &str) -> Option<ByteSize> {
        self.take(key)?.parsed(SIZE, ByteSize::parse)
    }
}

impl BlockIo {
    fn read(at: &At<'_>) -> Self {
        let mut fields = at.fields();
        let mut rates = |key: &str, value: &str| {
            let list = fields.take(key).map(|at| at.items()).unwrap_or_default();
            list.iter().filter_map(|at| DeviceRate::read(at, value)).collect()
        };
        let block_io = Self {
            weight_device: rates("weight_device", "weight"),
            device_read_bps: rates("device_read_bps", "rate"),
            device_read_iops: rates("device_read_iops", "rate"),
            device_write_bps: rates("device_write_bps", "rate"),
            device_write_iops: rates("device_write_iops", "rate"),
            weight: fields.whole("weight", "a whole number from 10 to 1000"),
        };
        fields.finish();
        block_io
    }
}

impl DeviceRate {
    fn read(at: &At<'_>, value: &str) -> Option<Self> {
        let mut fields = at.fields();
        let path = fields.text("path");
        let rate = fields.size(value);
        fields.finish();
        let both = path.zip(rate).map(|(path, rate)| Self { path, rate: rate.0 });
        at.or_expected(both, &format!("a map with the keys `path` and `{value}`"))
    }
}
