use crate::CommandError;
use deploy_core::model::{Named, ServiceName};
use serde_json::json;
use std::str::FromStr;

/// A question to the new instances of a service, as the command line has it: `web:8080/ready`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmokeCheck {
    /// Whose instances are asked.
    pub service: ServiceName,
    /// Their own port, not a published one.
    pub port: u16,
    /// The path with its query, beginning with `/`.
    pub path: String,
}

impl FromStr for SmokeCheck {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = || {
            let (service, rest) = text.split_once(':')?;
            let slash = rest.find('/')?;
            let port = rest[..slash].parse().ok().filter(|port| *port != 0)?;
            let is_sent_as_it_is = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
            let path = Some(&rest[slash..]).filter(|path| path.bytes().all(is_sent_as_it_is))?;
            (!service.is_empty()).then(|| Self { service: service.into(), port, path: path.to_owned() })
        };
        parts().ok_or_else(|| {
            format!("expected a service, its own port and a path like web:8080/ready, but found {text:?}")
        })
    }
}

impl SmokeCheck {
    /// Refuses a check of a service that isn't among these.
    ///
    /// # Errors
    /// [`CommandError::NoSuchService`].
    pub(crate) fn is_of<'a>(&self, services: impl Iterator<Item = &'a str> + Clone) -> Result<(), CommandError> {
        match services.clone().any(|name| name == self.service.as_str()) {
            true => Ok(()),
            false => Err(CommandError::NoSuchService {
                asked: self.service.clone(),
                known: services.collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The check as a plan names it.
    pub(crate) fn named(&self) -> Named {
        Named::new("http", json!({ "port": self.port, "path": self.path }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smoke_check_is_a_service_its_port_and_a_path() {
        let read = |text: &str| text.parse::<SmokeCheck>();
        let smoke = SmokeCheck { service: "web".into(), port: 8080, path: "/ready?deep=1".to_owned() };
        assert_eq!(read("web:8080/ready?deep=1"), Ok(smoke));
        for wrong in
            ["web", "web:8080", "web/ready", ":80/", "web:0/", "web:65536/", "web:http/", "web:80/a b", "web:80/#x"]
        {
            assert!(read(wrong).is_err_and(|why| why.contains(wrong)), "{wrong}");
        }
    }
}
