use hyper::Uri;

/// Where `ssh` goes: `ssh://[user@]host[:port][/path/of/the/socket]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::connect) struct Destination {
    user: Option<String>,
    /// A name, one of the user's ssh configuration too, or an address; IPv6 without brackets.
    pub(super) host: String,
    port: Option<u16>,
    /// Where the Engine listens there, if the address says so.
    socket: Option<String>,
}

impl Destination {
    /// What is wrong with it, otherwise; never with the address's own words, which may have a password in them.
    pub(in crate::connect) fn parse(url: &str) -> Result<Self, &'static str> {
        if url.contains(['?', '#']) {
            return Err("a query or fragment");
        }
        let uri: Uri = url.parse().map_err(|_| "no valid address")?;
        let authority = uri.authority().ok_or("no host")?;
        let (user, after_user) = match authority.as_str().rsplit_once('@') {
            Some((user, rest)) => (Some(user).filter(|user| !user.is_empty()), rest),
            None => (None, authority.as_str()),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err("a password: ssh uses keys and its agent (`ssh-add`)");
        }
        let after_host = after_user.strip_prefix(authority.host()).ok_or("no host")?;
        let port = match after_host.strip_prefix(':') {
            Some(port) => Some(port.parse().map_err(|_| "no valid port")?),
            None => None,
        };
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty() || host.starts_with('-') {
            return Err("no host");
        }
        let socket = Some(uri.path()).filter(|path| !path.trim_matches('/').is_empty());
        // the shell there would read anything else
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
        if socket.is_some_and(|socket| !socket.bytes().all(is_plain)) {
            return Err("a path with other characters than letters, digits and `/._-`");
        }
        Ok(Self { user: user.map(str::to_owned), host: host.to_owned(), port, socket: socket.map(str::to_owned) })
    }

    /// What `ssh` is told about where to go, up to the host.
    pub(super) fn to_host(&self) -> Vec<String> {
        let user = self.user.iter().flat_map(|user| ["-l".to_owned(), user.clone()]);
        let port = self.port.iter().flat_map(|port| ["-p".to_owned(), port.to_string()]);
        user.chain(port).chain(["--".to_owned(), self.host.clone()]).collect()
    }

    /// What is run there.
    pub(super) fn command(&self) -> Vec<String> {
        let socket = self.socket.iter().map(|socket| format!("--host=unix://{socket}"));
        let words = ["system", "dial-stdio"].map(str::to_owned);
        ["docker".to_owned()].into_iter().chain(socket).chain(words).collect()
    }

    /// The command that people may try by hand.
    pub(super) fn by_hand(&self) -> String {
        let to_host: Vec<_> = self.to_host().into_iter().filter(|word| word != "--").collect();
        format!("ssh {}", to_host.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(url: &str) -> String {
        let found = Destination::parse(url).unwrap();
        [found.to_host(), found.command()].concat().join(" ")
    }

    #[test]
    fn an_address_becomes_the_arguments_that_docker_gives() {
        assert_eq!(words("ssh://far"), "-- far docker system dial-stdio");
        assert_eq!(words("ssh://me@far.example:2222/"), "-l me -p 2222 -- far.example docker system dial-stdio");
        assert_eq!(words("ssh://me@[::1]:22"), "-l me -p 22 -- ::1 docker system dial-stdio");
        let rootless = "-- far docker --host=unix:///run/user/1000/docker.sock system dial-stdio";
        assert_eq!(words("ssh://far/run/user/1000/docker.sock"), rootless);
        assert_eq!(Destination::parse("ssh://me@far:22").unwrap().by_hand(), "ssh -l me -p 22 far");
    }

    #[test]
    fn what_is_no_destination_is_refused() {
        let refused =
            ["ssh://", "ssh://me:secret@far", "ssh://far:port", "ssh://far:70000", "ssh://far:", "ssh://far?x=1"];
        for url in refused.into_iter().chain(["ssh://-oProxyCommand=x", "ssh://far/a;b", "ssh://far/$x", "ssh://a b"]) {
            let why = Destination::parse(url).unwrap_err();
            assert!(!why.contains("secret"), "{url}: {why}");
        }
    }
}
