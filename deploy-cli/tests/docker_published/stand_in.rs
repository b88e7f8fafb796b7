use std::fmt::Write;

/// What an image tells of itself.
#[derive(Clone, Copy, Default)]
struct Facts {
    /// EXPOSE.
    exposes: &'static [u16],
    /// VOLUME.
    volume: &'static str,
    /// HEALTHCHECK, by whatever program.
    has_health_check: bool,
    /// Where it listens beside what it exposes.
    listens: &'static [u16],
    /// The folder that it writes to.
    data: &'static str,
}

/// As the real images have it. What isn't listed exposes nothing, and listens where its file says.
const IMAGES: [(&str, Facts); 21] = {
    const NONE: Facts = Facts { exposes: &[], volume: "", has_health_check: false, listens: &[], data: "" };
    const fn at(port: &'static [u16]) -> Facts {
        Facts { listens: port, ..NONE }
    }
    const fn exposing(ports: &'static [u16]) -> Facts {
        Facts { exposes: ports, ..NONE }
    }
    const fn database(port: &'static [u16], folder: &'static str) -> Facts {
        Facts { exposes: port, volume: folder, data: folder, ..NONE }
    }
    [
        ("registry.example.com/acme/api", exposing(&[8080])),
        ("ghcr.io/acme/storefront", at(&[3000])),
        ("acme/tracker", exposing(&[8000])),
        ("postgres", database(&[5432], "/var/lib/postgresql/data")),
        ("redis", database(&[6379], "/data")),
        ("mariadb", database(&[3306], "/var/lib/mysql")),
        ("registry.example.com/billing", at(&[8443])),
        ("registry.example.com/gateway", at(&[443])),
        ("registry.example.com/ledger", Facts { has_health_check: true, ..exposing(&[9000]) }),
        ("registry.example.com/store", Facts { data: "/data", ..at(&[7000]) }),
        ("nginx", exposing(&[80])),
        ("nginx-app", at(&[3000])),
        ("acme/shop", at(&[8080])),
        ("memcached", exposing(&[11211])),
        ("rabbitmq", database(&[5672, 15672, 4369, 25672], "/var/lib/rabbitmq")),
        ("ghcr.io/acme/notes", Facts { data: "/var/lib/notes", ..exposing(&[3456]) }),
        ("uploads-gallery", Facts { data: "/app/uploads", ..exposing(&[5000]) }),
        ("traefik", exposing(&[80])),
        ("traefik/whoami", exposing(&[80])),
        ("requarks/wiki", database(&[3000, 3443], "/wiki/data/content")),
        ("prom/node-exporter", exposing(&[9100])),
    ]
};

/// How a stand-in for an image is built: from `base`, as which the server of the tests lies there.
pub(crate) fn dockerfile(image: &str, base: &str) -> String {
    let (name, version) = image.rsplit_once(':').unwrap_or((image, "latest"));
    let facts = IMAGES.iter().find(|(known, _)| *known == name).map(|(_, facts)| *facts).unwrap_or_default();
    let list = |ports: &[u16]| ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" ");
    let ports = list(&[facts.exposes, facts.listens].concat());
    let mut text = format!("FROM {base}\nRUN [\"/deploy\", \"install\"]\nENTRYPOINT [\"/deploy\"]\n");
    // writing to a string doesn't fail
    let _ = writeln!(text, "ENV VERSION=\"{name} {version}\" PORTS=\"{ports}\"");
    if !facts.data.is_empty() {
        let _ = writeln!(text, "ENV DATA={}", facts.data);
    }
    if !facts.exposes.is_empty() {
        let _ = writeln!(text, "EXPOSE {}", list(facts.exposes));
    }
    if !facts.volume.is_empty() {
        let _ = writeln!(text, "VOLUME {}", facts.volume);
    }
    if facts.has_health_check {
        let _ = writeln!(text, "HEALTHCHECK --interval=30s CMD [\"curl\"]");
    }
    text
}
