use super::{list, map};
use bollard::models::{
    DeviceMapping, HostConfig, HostConfigCgroupnsModeEnum, HostConfigIsolationEnum, ResourcesUlimits,
};
use deploy_compose::model::{CgroupNamespace, Device, Isolation, Namespace, Technology, Ulimit};

/// The option by which nothing of /proc and /sys is hidden.
const ALL_PATHS: &str = "systempaths=unconfined";

/// How far the container is shut off from the host.
pub(super) fn isolate(host: &mut HostConfig, from: &Isolation) {
    let Isolation {
        privileged,
        read_only,
        cap_add,
        cap_drop,
        security_opt,
        userns_mode,
        ipc,
        pid,
        uts,
        cgroup,
        cgroup_parent,
        technology,
        runtime,
        sysctls,
        ulimits,
        devices,
        device_cgroup_rules,
        storage_opt,
    } = from;
    host.privileged = privileged.then_some(true);
    host.readonly_rootfs = read_only.then_some(true);
    host.cap_add = list(cap_add.clone());
    host.cap_drop = list(cap_drop.clone());
    // no option to the Engine: all that it hides in /proc and /sys is told apart from those
    let (paths, options): (Vec<_>, Vec<_>) = security_opt.iter().cloned().partition(|option| option == ALL_PATHS);
    host.security_opt = list(options);
    if !paths.is_empty() {
        host.masked_paths = Some(Vec::new());
        host.readonly_paths = Some(Vec::new());
    }
    host.userns_mode.clone_from(userns_mode);
    host.ipc_mode = ipc.as_ref().map(namespace);
    host.pid_mode = pid.as_ref().map(namespace);
    host.uts_mode.clone_from(uts);
    host.cgroupns_mode = cgroup.map(|cgroup| match cgroup {
        CgroupNamespace::Host => HostConfigCgroupnsModeEnum::HOST,
        CgroupNamespace::Private => HostConfigCgroupnsModeEnum::PRIVATE,
    });
    host.cgroup_parent.clone_from(cgroup_parent);
    host.isolation = technology.map(|technology| match technology {
        Technology::Default => HostConfigIsolationEnum::DEFAULT,
        Technology::Process => HostConfigIsolationEnum::PROCESS,
        Technology::Hyperv => HostConfigIsolationEnum::HYPERV,
    });
    host.runtime.clone_from(runtime);
    host.sysctls = map(sysctls);
    host.storage_opt = map(storage_opt);
    host.device_cgroup_rules = list(device_cgroup_rules.clone());
    let ulimits = ulimits.iter().map(|(name, Ulimit { soft, hard })| ResourcesUlimits {
        name: Some(name.clone()),
        soft: Some(*soft),
        hard: Some(*hard),
    });
    host.ulimits = list(ulimits.collect());
    let devices = devices.iter().map(|Device { source, target, permissions }| DeviceMapping {
        path_on_host: Some(source.clone()),
        path_in_container: Some(target.clone()),
        cgroup_permissions: Some(permissions.clone()),
    });
    host.devices = list(devices.collect());
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
