use super::{list, map, signed};
use bollard::models::{DeviceRequest, HostConfig, ResourcesBlkioWeightDevice, ThrottleDevice};
use deploy_compose::model::{self as compose, BlockIo, DeviceCount, DeviceRate, Resources, SwapLimit};

/// What the container may use of the host.
pub(super) fn limit(host: &mut HostConfig, from: &Resources) {
    let Resources {
        cpus,
        cpu_shares,
        cpu_period,
        cpu_quota,
        cpu_rt_period,
        cpu_rt_runtime,
        cpuset,
        memory,
        memory_reservation,
        memory_swap,
        memory_swappiness,
        pids,
        oom_kill_disable,
        oom_score_adj,
        shm_size,
        block_io,
        device_requests,
    } = from;
    host.nano_cpus = cpus.map(|cpus| signed(cpus.0));
    host.cpu_shares = *cpu_shares;
    host.cpu_period = *cpu_period;
    host.cpu_quota = *cpu_quota;
    host.cpu_realtime_period = *cpu_rt_period;
    host.cpu_realtime_runtime = *cpu_rt_runtime;
    host.cpuset_cpus.clone_from(cpuset);
    host.memory = memory.map(|size| signed(size.0));
    host.memory_reservation = memory_reservation.map(|size| signed(size.0));
    host.memory_swap = memory_swap.map(|limit| match limit {
        SwapLimit::Unlimited => -1,
        SwapLimit::Bytes(size) => signed(size.0),
    });
    host.memory_swappiness = memory_swappiness.map(i64::from);
    host.pids_limit = *pids;
    host.oom_kill_disable = oom_kill_disable.then_some(true);
    host.oom_score_adj = oom_score_adj.map(i64::from);
    host.shm_size = shm_size.map(|size| signed(size.0));
    if let Some(block_io) = block_io {
        limit_block_io(host, block_io);
    }
    host.device_requests = list(device_requests.iter().map(device_request).collect());
}

fn limit_block_io(host: &mut HostConfig, from: &BlockIo) {
    let BlockIo { weight, weight_device, device_read_bps, device_read_iops, device_write_bps, device_write_iops } =
        from;
    let rates = |rates: &[DeviceRate]| {
        let rates = rates
            .iter()
            .map(|DeviceRate { path, rate }| ThrottleDevice { path: Some(path.clone()), rate: Some(signed(*rate)) });
        list(rates.collect())
    };
    let weights = weight_device.iter().map(|DeviceRate { path, rate }| ResourcesBlkioWeightDevice {
        path: Some(path.clone()),
        weight: usize::try_from(*rate).ok(),
    });
    host.blkio_weight = *weight;
    host.blkio_weight_device = list(weights.collect());
    host.blkio_device_read_bps = rates(device_read_bps);
    host.blkio_device_write_bps = rates(device_write_bps);
    host.blkio_device_read_iops = rates(device_read_iops);
    host.blkio_device_write_iops = rates(device_write_iops);
}

fn device_request(from: &compose::DeviceRequest) -> DeviceRequest {
    let compose::DeviceRequest { driver, count, device_ids, capabilities, options } = from;
    DeviceRequest {
        driver: driver.clone(),
        count: count.map(|count| match count {
            DeviceCount::All => -1,
            DeviceCount::Number(number) => i64::from(number),
        }),
        device_ids: list(device_ids.clone()),
        capabilities: list(capabilities.clone()).map(|all| vec![all]),
        options: map(options),
    }
}
