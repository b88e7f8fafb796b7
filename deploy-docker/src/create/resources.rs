use super::{map, signed};
use bollard::models::{DeviceRequest, HostConfig, ResourcesBlkioWeightDevice, ThrottleDevice};
use deploy_compose::model::{self as compose, BlockIo, DeviceCount, DeviceRate, Resources, SwapLimit};

/// What the container may use of the host.
pub(super) fn limit(host: &mut HostConfig, from: &Resources) {
    host.nano_cpus = from.cpus.map(|cpus| signed(cpus.0));
    host.cpu_shares = from.cpu_shares;
    host.cpu_period = from.cpu_period;
    host.cpu_quota = from.cpu_quota;
    host.cpu_realtime_period = from.cpu_rt_period;
    host.cpu_realtime_runtime = from.cpu_rt_runtime;
    host.cpuset_cpus = from.cpuset.clone();
    host.memory = from.memory.map(|size| signed(size.0));
    host.memory_reservation = from.memory_reservation.map(|size| signed(size.0));
    host.memory_swap = from.memory_swap.map(|limit| match limit {
        SwapLimit::Unlimited => -1,
        SwapLimit::Bytes(size) => signed(size.0),
    });
    host.memory_swappiness = from.memory_swappiness.map(i64::from);
    host.pids_limit = from.pids;
    host.oom_kill_disable = from.oom_kill_disable.then_some(true);
    host.oom_score_adj = from.oom_score_adj.map(i64::from);
    host.shm_size = from.shm_size.map(|size| signed(size.0));
    if let Some(block_io) = &from.block_io {
        limit_block_io(host, block_io);
    }
    let requests = from.device_requests.iter().map(device_request);
    host.device_requests = (!from.device_requests.is_empty()).then(|| requests.collect());
}

fn limit_block_io(host: &mut HostConfig, from: &BlockIo) {
    let rates = |rates: &[DeviceRate]| {
        let rates =
            rates.iter().map(|rate| ThrottleDevice { path: Some(rate.path.clone()), rate: Some(signed(rate.rate)) });
        Some(rates.collect::<Vec<_>>()).filter(|rates| !rates.is_empty())
    };
    let weights = from.weight_device.iter().map(|weight| ResourcesBlkioWeightDevice {
        path: Some(weight.path.clone()),
        weight: usize::try_from(weight.rate).ok(),
    });
    host.blkio_weight = from.weight;
    host.blkio_weight_device = Some(weights.collect::<Vec<_>>()).filter(|weights| !weights.is_empty());
    host.blkio_device_read_bps = rates(&from.device_read_bps);
    host.blkio_device_write_bps = rates(&from.device_write_bps);
    host.blkio_device_read_iops = rates(&from.device_read_iops);
    host.blkio_device_write_iops = rates(&from.device_write_iops);
}

fn device_request(from: &compose::DeviceRequest) -> DeviceRequest {
    DeviceRequest {
        driver: from.driver.clone(),
        count: from.count.map(|count| match count {
            DeviceCount::All => -1,
            DeviceCount::Number(number) => i64::from(number),
        }),
        device_ids: Some(from.device_ids.clone()).filter(|ids| !ids.is_empty()),
        capabilities: Some(vec![from.capabilities.clone()]).filter(|sets| !sets[0].is_empty()),
        options: map(&from.options),
    }
}
