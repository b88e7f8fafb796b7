//! Reading a service.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    Attachment, Build, Dependency, ExposedPort, Grant, Healthcheck, Isolation, Key, Logging, Mount, NetworkMode, Port,
    PullPolicy, Resources, Restart, Service, ServiceName, UpdateConfig, healthcheck::duration, unique, update::SWARM,
};
use crate::{
    declared::Kind,
    read::{At, Fields},
    words,
};

impl Service {
    pub(crate) fn read(name: &str, at: &At<'_>) -> Self {
        let mut fields = at.fields();
        let mut service = Self { name: name.into(), ..Self::default() };
        service.read_image(at, &mut fields);
        service.read_process(&mut fields);
        service.read_metadata(&mut fields);
        service.read_networking(&mut fields);
        service.read_storage(&mut fields);
        service.resources = Resources::read(&mut fields);
        service.isolation = Isolation::read(&mut fields);
        service.read_deploy(&mut fields);
        service.read_dependencies(&mut fields);
        fields.ignore("attach", "only says whose output `docker compose up` shows");
        fields.ignore("develop", "only `docker compose watch` uses it");
        fields.finish();
        if service.container_name.is_some() && service.replicas > 1 {
            at.problem(format!(
                "expected one replica beside `container_name`, but found {}; remove `container_name`",
                service.replicas
            ));
        }
        service
    }

    fn read_image(&mut self, at: &At<'_>, fields: &mut Fields<'_>) {
        self.build = fields.take("build").and_then(|at| Build::read(&at));
        match fields.take("image") {
            Some(image) => {
                let image = image.parsed("an image's name", |text| (!text.is_empty()).then(|| text.to_owned()));
                self.image = image.unwrap_or_default();
            }
            None if at.node.entry("build").is_some() => self.image = format!("{}-{}", at.cx.project, self.name),
            None => at.problem("expected `image` or `build`, but found neither"),
        }
        self.platform = fields.take_set("platform").and_then(|at| {
            let is_part = |part: &str| {
                !part.is_empty() && part.chars().all(|one| one.is_ascii_alphanumeric() || "._-".contains(one))
            };
            at.parsed("a platform such as linux/arm64", |text| {
                (text.split('/').count() <= 3 && text.split('/').all(is_part)).then(|| text.to_owned())
            })
        });
        self.container_name = fields.text("container_name");
        self.pull_policy = fields.take_set("pull_policy").and_then(|at| {
            at.parsed("always, never, missing, if_not_present or build", |text| {
                Some(match text {
                    "always" => PullPolicy::Always,
                    "never" => PullPolicy::Never,
                    "missing" | "if_not_present" => PullPolicy::Missing,
                    "build" => PullPolicy::Build,
                    _ => return None,
                })
            })
        });
    }

    fn read_process(&mut self, fields: &mut Fields<'_>) {
        self.command = fields.take("command").and_then(|at| command(&at));
        self.entrypoint = fields.take("entrypoint").and_then(|at| command(&at));
        let environment = fields.take("environment").map(|at| at.environment()).unwrap_or_default();
        self.environment = fields.take("env_file").map(|at| at.env_files(&environment)).unwrap_or_default();
        self.environment.extend(environment);
        self.user = fields.text("user");
        self.group_add = unique(fields.texts("group_add"));
        self.working_dir = fields.text("working_dir");
        self.init = fields.flag("init");
        self.tty = fields.flag("tty").unwrap_or(false);
        self.stdin_open = fields.flag("stdin_open").unwrap_or(false);
        self.stop_signal = fields.text("stop_signal");
        self.stop_grace_period = duration(fields, "stop_grace_period");
        self.restart = fields.take_set("restart").and_then(|at| Restart::read(&at)).unwrap_or_default();
        self.healthcheck = fields.take("healthcheck").map(|at| Healthcheck::read(&at));
        self.logging = fields.take("logging").map(|at| Logging::read(&at));
    }

    fn read_metadata(&mut self, fields: &mut Fields<'_>) {
        self.labels = fields.take("label_file").map(|at| at.label_files()).unwrap_or_default();
        self.labels.extend(fields.text_pairs::<BTreeMap<_, _>>("labels"));
        self.annotations = fields.text_pairs("annotations");
        self.profiles = unique(fields.texts("profiles"));
    }

    fn read_networking(&mut self, fields: &mut Fields<'_>) {
        self.ports = fields.take("ports").map(|at| Port::read_all(&at)).unwrap_or_default();
        self.expose = fields.take("expose").map(|at| ExposedPort::read_all(&at)).unwrap_or_default();
        let networks = fields.take("networks");
        let mode = fields.take_set("network_mode");
        if let (Some(_), Some(mode)) = (&networks, &mode) {
            mode.problem("expected either `networks` or `network_mode`, but found both; remove one of them");
        }
        self.network_mode = mode.and_then(|at| {
            let mode = at.parsed("none, host, bridge, service:NAME, container:NAME or a network", NetworkMode::parse);
            mode.filter(|mode| match mode {
                NetworkMode::Service(name) => at.declared_service(at.place(), name.as_str()).is_some(),
                _ => true,
            })
        });
        self.networks = networks.map(|at| Attachment::read_all(&at)).unwrap_or_default();
        if self.networks.is_empty() && self.network_mode.is_none() {
            self.networks.insert(Key::new("default"), Attachment::default());
        }
        self.hostname = fields.text("hostname");
        self.domainname = fields.text("domainname");
        self.dns = unique(fields.text_or_texts("dns"));
        self.dns_search = unique(fields.text_or_texts("dns_search"));
        self.dns_opt = unique(fields.texts("dns_opt"));
        self.extra_hosts = fields.take("extra_hosts").map(|at| extra_hosts(&at)).unwrap_or_default();
        self.mac_address = fields.take_set("mac_address").and_then(|at| self.read_mac_address(&at));
    }

    /// The address belongs to the network that is joined first, or to the one that `network_mode` names.
    fn read_mac_address(&self, at: &At<'_>) -> Option<String> {
        let address = at.text()?;
        if let Some(NetworkMode::None | NetworkMode::Host | NetworkMode::Service(_) | NetworkMode::Container(_)) =
            self.network_mode
        {
            at.ignore("beside this `network_mode` its containers have no network interface of their own");
            return None;
        }
        let first = self.networks.iter().min_by_key(|(_, attachment)| Reverse(attachment.priority));
        if let Some((key, Attachment { mac_address: Some(own), .. })) = first
            && *own != address
        {
            at.expected(&format!("the same address as in `networks.{key}`, which is {own}"));
        }
        Some(address)
    }

    fn read_storage(&mut self, fields: &mut Fields<'_>) {
        self.volumes = fields.take("volumes").map(|at| Mount::read_all(&at)).unwrap_or_default();
        let tmpfs = fields.text_or_texts("tmpfs");
        self.tmpfs = tmpfs
            .iter()
            .map(|tmpfs| tmpfs.split_once(':').unwrap_or((tmpfs, "")))
            .map(|(target, options)| (target.to_owned(), options.to_owned()))
            .collect();
        self.secrets = fields.take("secrets").map(|at| Grant::read_all(&at, Kind::Secret)).unwrap_or_default();
        self.configs = fields.take("configs").map(|at| Grant::read_all(&at, Kind::Config)).unwrap_or_default();
    }

    fn read_deploy(&mut self, fields: &mut Fields<'_>) {
        const COUNT: &str = "a whole number that isn't negative";
        let mut replicas: Option<u32> = fields.whole("scale", COUNT);
        if let Some(at) = fields.take("deploy") {
            let mut deploy = at.fields();
            if let Some(at) = deploy.take("replicas") {
                let count = at.whole(COUNT);
                if replicas.is_some() && count.is_some() && replicas != count {
                    at.expected("the same number as in `scale`");
                }
                replicas = replicas.or(count);
            }
            self.update_config = deploy.take("update_config").map(|at| UpdateConfig::read_update(&at));
            self.rollback_config = deploy.take("rollback_config").map(|at| UpdateConfig::read_rollback(&at));
            if let Some(at) = deploy.take("resources") {
                self.resources.add_deploy(&at);
            }
            if let Some(restart) = deploy.take("restart_policy").and_then(|at| Restart::read_policy(&at)) {
                self.restart = restart;
            }
            if let Some(at) = deploy.take("labels") {
                at.ignore("only a Swarm's services have them; containers get those under `labels`");
                self.deploy_labels = at.text_pairs();
            }
            if let Some(at) = deploy.take("mode")
                && at.text().is_some_and(|mode| mode != "replicated")
            {
                at.ignore("only a Swarm has other modes than `replicated`");
            }
            deploy.ignore("endpoint_mode", SWARM);
            deploy.ignore("placement", SWARM);
            deploy.finish();
        }
        self.replicas = replicas.unwrap_or(1);
    }

    fn read_dependencies(&mut self, fields: &mut Fields<'_>) {
        self.depends_on = fields.take("depends_on").map(|at| Dependency::read_all(&at)).unwrap_or_default();
        let mut implied: Vec<ServiceName> = fields.take("links").map(|at| links(&at)).unwrap_or_default();
        implied.extend(self.lives_in().into_iter().cloned());
        for name in implied {
            self.depends_on.entry(name).or_insert_with(|| Dependency::started(true));
        }
    }
}

/// A command as a list, or as a text that is cut into words.
fn command(at: &At<'_>) -> Option<Vec<String>> {
    if at.is_list() {
        return Some(at.texts());
    }
    match words::split(&at.text()?) {
        Ok(words) => {
            if let Some(left_out) = words.left_out {
                at.warn(format!(
                    "no shell reads this, and Compose leaves out `{left_out}`; write [\"sh\", \"-c\", \"…\"] to have a shell"
                ));
            }
            Some(words.words)
        }
        Err(message) => {
            at.problem(message);
            None
        }
    }
}

/// A map, or a list of `host=address` or `host:address`.
pub(super) fn extra_hosts(at: &At<'_>) -> BTreeMap<String, Vec<String>> {
    let mut hosts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if at.is_map() {
        hosts.extend(at.members().iter().map(|(entry, at)| (entry.key.clone(), at.text_or_texts())));
    } else {
        for at in at.items() {
            let split = |text: &str| {
                let (host, address) = text.split_once('=').or_else(|| text.split_once(':'))?;
                (!host.is_empty() && !address.is_empty()).then(|| (host.to_owned(), address.to_owned()))
            };
            if let Some((host, address)) = at.parsed("a host and its address such as db=10.0.0.5", split) {
                hosts.entry(host).or_default().push(address);
            }
        }
    }
    hosts.values_mut().flatten().for_each(|address| *address = address.trim_matches(['[', ']']).to_owned());
    hosts
}

/// Old links are dependencies; names of services are known in their networks anyway.
fn links(at: &At<'_>) -> Vec<ServiceName> {
    let link = |at: At<'_>| {
        let text = at.text()?;
        match text.split_once(':') {
            Some((name, alias)) if name != alias => {
                at.problem(format!(
                    "expected a link without another name, but found `{alias}`; give `{name}` the alias under `networks`"
                ));
                None
            }
            Some((name, _)) => at.declared_service(at.place(), name),
            None => at.declared_service(at.place(), &text),
        }
    };
    at.items().into_iter().filter_map(link).collect()
}
