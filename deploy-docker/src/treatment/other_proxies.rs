//! What other proxies read from the containers that they route to: Traefik, caddy-docker-proxy, nginx-proxy.

/// Whether other proxies read such a label.
pub(super) fn is_label(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default();
    let caddy = first.strip_prefix("caddy");
    first == "traefik"
        || caddy.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('_').is_some_and(is_number))
        || name.starts_with("com.github.nginx-proxy.nginx-proxy.")
}

/// Whether other proxies read such a variable.
pub(super) fn is_variable(name: &str) -> bool {
    name == "VIRTUAL_HOST"
        || name.starts_with("VIRTUAL_HOST_")
        || matches!(name, "VIRTUAL_PORT" | "VIRTUAL_PROTO" | "VIRTUAL_PATH" | "VIRTUAL_DEST" | "NETWORK_ACCESS")
        || name.starts_with("LETSENCRYPT_")
        || name == "ACME_HOST"
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_other_proxies_read_is_theirs() {
        for name in ["traefik.enable", "traefik.http.routers.web.rule", "caddy", "caddy.reverse_proxy", "caddy_1.tls"] {
            assert!(is_label(name), "{name}");
        }
        for name in ["traefiks.x", "caddyshack", "com.example.team", "prometheus.port", "caddy_x"] {
            assert!(!is_label(name), "{name}");
        }
        assert!(is_variable("VIRTUAL_HOST") && is_variable("LETSENCRYPT_EMAIL"));
        assert!(!is_variable("VIRTUAL_ENV") && !is_variable("PORT"));
    }
}
