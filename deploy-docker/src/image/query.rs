use bollard::Docker;

/// A client that adds parameters to the addresses of some of its requests: what its own options have no room for.
pub(super) fn with_parameters(
    docker: Docker,
    is_meant: impl Fn(&str) -> bool + Send + Sync + 'static,
    parameters: &[(&str, String)],
) -> Docker {
    if parameters.is_empty() {
        return docker;
    }
    let added: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
    let added = added.join("&");
    docker.with_request_modifier(move |mut request| {
        let uri = request.uri();
        let separator = if uri.query().is_some() { '&' } else { '?' };
        // what makes no address is sent as it was
        if is_meant(uri.path())
            && let Ok(uri) = format!("{uri}{separator}{added}").parse()
        {
            *request.uri_mut() = uri;
        }
        request
    })
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b':' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_part_of_a_name_or_an_address_is_encoded() {
        assert_eq!(percent_encoded("db:10.0.0.5"), "db:10.0.0.5");
        assert_eq!(percent_encoded("a&b=c d"), "a%26b%3Dc%20d");
    }
}
