use super::map;
use bollard::models::{
    DeviceMapping, HostConfig, HostConfigCgroupnsModeEnum, HostConfigIsolationEnum, ResourcesUlimits,
};
use deploy_compose::model::{CgroupNamespace, Isolation, Namespace};

/// How far the container is shut off from the host.
pub(super) fn isolate(host: &mut HostConfig, from: &Isolation) {
    let list = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    host.privileged = from.privileged.then_some(true);
    host.readonly_rootfs = from.read_only.then_some(true);
    host.cap_add = list(&from.cap_add);
    host.cap_drop = list(&from.cap_drop);
    host.security_opt = list(&from.security_opt);
    host.userns_mode = from.userns_mode.clone();
    host.ipc_mode = from.ipc.as_ref().map(namespace);
    host.pid_mode = from.pid.as_ref().map(namespace);
    host.uts_mode = from.uts.clone();
    host.cgroupns_mode = from.cgroup.map(|cgroup| match cgroup {
        CgroupNamespace::Host => HostConfigCgroupnsModeEnum::HOST,
        CgroupNamespace::Private => HostConfigCgroupnsModeEnum::PRIVATE,
    });
    host.cgroup_parent = from.cgroup_parent.clone();
    host.isolation = from.technology.as_deref().map(|technology| match technology {
        "process" => HostConfigIsolationEnum::PROCESS,
        "hyperv" => HostConfigIsolationEnum::HYPERV,
        _ => HostConfigIsolationEnum::DEFAULT,
    });
    host.runtime = from.runtime.clone();
    host.sysctls = map(&from.sysctls);
    host.storage_opt = map(&from.storage_opt);
    host.device_cgroup_rules = list(&from.device_cgroup_rules);
    let ulimits = from.ulimits.iter().map(|(name, limit)| ResourcesUlimits {
        name: Some(name.clone()),
        soft: Some(limit.soft),
        hard: Some(limit.hard),
    });
    host.ulimits = (!from.ulimits.is_empty()).then(|| ulimits.collect());
    let devices = from.devices.iter().map(|device| DeviceMapping {
        path_on_host: Some(device.source.clone()),
        path_in_container: Some(device.target.clone()),
        cgroup_permissions: Some(device.permissions.clone()),
    });
    host.devices = (!from.devices.is_empty()).then(|| devices.collect());
}

/// As the Engine writes it; that of another service is looked up when a container is created.
pub(super) fn namespace(namespace: &Namespace) -> String {
    match namespace {
        Namespace::Host => "host".to_owned(),
        Namespace::None => "none".to_owned(),
        Namespace::Private => "private".to_owned(),
        Namespace::Shareable => "shareable".to_owned(),
        Namespace::Service(service) => format!("service:{service}"),
        Namespace::Container(container) => format!("container:{container}"),
    }
}
