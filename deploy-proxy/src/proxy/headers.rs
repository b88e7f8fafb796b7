//! What happens to a request's and an answer's headers on their way through.

use std::net::IpAddr;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request;
use hyper::http::uri::{PathAndQuery, Uri};
use hyper::{Method, Version};
use thiserror::Error;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Why a request is answered 400 (or 405) instead of being sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum BadRequest {
    #[error("expected a Host header, but found none")]
    NoHost,
    #[error("expected one Host header, but found several")]
    SeveralHosts,
    #[error("expected a host name in the Host header, but found something else")]
    InvalidHost,
    #[error("expected a path, but found something else as the request's target")]
    NoPath,
    #[error("expected a request to this server, but found CONNECT")]
    Connect,
}

/// Prepares a request for an instance. Returns whether it asks for another protocol.
pub(crate) fn prepare_request(parts: &mut request::Parts, client: IpAddr) -> Result<bool, BadRequest> {
    if parts.method == Method::CONNECT {
        return Err(BadRequest::Connect);
    }
    take_target(parts)?;
    let upgrade = parts.version == Version::HTTP_11 && asks_for_upgrade(&parts.headers);
    let protocol = if upgrade { parts.headers.remove(header::UPGRADE) } else { None };
    drop_hop_by_hop(&mut parts.headers);
    // The body is streamed at once, and hyper asks the client for it.
    parts.headers.remove(header::EXPECT);
    if let Some(protocol) = protocol {
        parts.headers.insert(header::UPGRADE, protocol);
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    note_client(&mut parts.headers, client);
    parts.version = Version::HTTP_11;
    Ok(upgrade)
}

/// Prepares an instance's answer for the client. hyper frames the body anew.
pub(crate) fn prepare_response(headers: &mut HeaderMap, upgraded: bool) {
    let protocol = if upgraded { headers.remove(header::UPGRADE) } else { None };
    drop_hop_by_hop(headers);
    headers.remove(header::TRANSFER_ENCODING);
    if let Some(protocol) = protocol {
        headers.insert(header::UPGRADE, protocol);
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// Checks Host, and turns `GET http://host/path` into `GET /path` with that host.
fn take_target(parts: &mut request::Parts) -> Result<(), BadRequest> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err(BadRequest::SeveralHosts),
        (Some(host), None) if !is_host(host.as_bytes()) => return Err(BadRequest::InvalidHost),
        (None, None) if parts.version == Version::HTTP_11 => return Err(BadRequest::NoHost),
        _ => {}
    }
    if let Some(authority) = parts.uri.authority() {
        if !is_host(authority.as_str().as_bytes()) {
            return Err(BadRequest::InvalidHost);
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| BadRequest::InvalidHost)?;
        parts.headers.insert(header::HOST, host);
        let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        parts.uri = Uri::from(path);
    }
    match parts.uri.path().as_bytes() {
        [b'/', ..] => Ok(()),
        b"*" if parts.method == Method::OPTIONS => Ok(()),
        _ => Err(BadRequest::NoPath),
    }
}

/// Whether these bytes can be a host with an optional port. Empty is allowed, as HTTP does for targets without one.
fn is_host(host: &[u8]) -> bool {
    host.iter().all(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'-' | b':' | b'_' | b'~' | b'[' | b']' | b'%' | b'!' | b'$' | b'&' | b'\'')
            || matches!(byte, b'(' | b')' | b'*' | b'+' | b';' | b'=')
    })
}

fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
        && tokens(headers.get_all(header::CONNECTION).iter()).any(|token| token.eq_ignore_ascii_case("upgrade"))
}

fn tokens<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> impl Iterator<Item = &'a str> {
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

/// Removes what is meant for the next hop only. `Transfer-Encoding` stays: it is `chunked` or absent, and hyper needs
/// it to know that a body follows. `TE: trailers` stays too: we pass trailers on.
fn drop_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = tokens(headers.get_all(header::CONNECTION).iter())
            .filter(|token| !matches!(*token, "" | "close" | "keep-alive" | "upgrade"))
            .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
            .filter(|name| !is_end_to_end(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    headers.remove(KEEP_ALIVE);
    headers.remove(PROXY_CONNECTION);
    headers.remove(header::UPGRADE);
    if headers.get(header::TE).is_some_and(|te| te.as_bytes() != b"trailers") {
        headers.remove(header::TE);
    }
}

/// What a client can't have removed by naming it in `Connection`.
fn is_end_to_end(name: &HeaderName) -> bool {
    [
        header::HOST,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::AUTHORIZATION,
        header::COOKIE,
        header::TE,
        FORWARDED_FOR,
        FORWARDED_HOST,
        FORWARDED_PROTO,
    ]
    .contains(name)
}

/// Appends the client to `X-Forwarded-For`; sets protocol and host where no proxy in front of us did.
fn note_client(headers: &mut HeaderMap, client: IpAddr) {
    let client = client.to_canonical().to_string();
    let mut chain = Vec::new();
    for value in headers.get_all(FORWARDED_FOR) {
        chain.extend_from_slice(value.as_bytes());
        chain.extend_from_slice(b", ");
    }
    chain.extend_from_slice(client.as_bytes());
    if let Ok(chain) = HeaderValue::from_maybe_shared(bytes::Bytes::from(chain)) {
        headers.insert(FORWARDED_FOR, chain);
    }
    if !headers.contains_key(FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if !headers.contains_key(FORWARDED_HOST)
        && let Some(host) = headers.get(header::HOST).cloned()
    {
        headers.insert(FORWARDED_HOST, host);
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));

    fn prepared(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<(request::Parts, bool), BadRequest> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let upgrade = prepare_request(&mut parts, CLIENT)?;
        Ok((parts, upgrade))
    }

    fn listed(headers: &HeaderMap) -> Vec<(String, String)> {
        let mut all: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        all.sort();
        all
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn hop_by_hop_headers_go_and_the_rest_stays() {
        let (parts, upgrade) = prepared(
            "GET",
            "/a?b",
            &[
                ("Host", "shop:8080"),
                ("Connection", "keep-alive, X-Mine, Host, Cookie"),
                ("Connection", "close"),
                ("Keep-Alive", "timeout=5"),
                ("Proxy-Connection", "x"),
                ("TE", "gzip"),
                ("Upgrade", "h2c"),
                ("Expect", "100-continue"),
                ("X-Mine", "1"),
                ("Cookie", "c=1"),
            ],
        )
        .unwrap();
        assert!(!upgrade);
        assert_eq!(
            listed(&parts.headers),
            pairs(&[
                ("cookie", "c=1"),
                ("host", "shop:8080"),
                ("x-forwarded-for", "10.0.0.9"),
                ("x-forwarded-host", "shop:8080"),
                ("x-forwarded-proto", "http"),
            ])
        );
    }

    #[test]
    fn an_upgrade_is_passed_on() {
        let wants = [("Host", "a"), ("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket")];
        let (parts, upgrade) = prepared("GET", "/", &wants).unwrap();
        assert!(upgrade);
        assert_eq!(
            (&parts.headers["connection"], &parts.headers["upgrade"]),
            (&HeaderValue::from_static("upgrade"), &HeaderValue::from_static("websocket"))
        );
    }

    #[test]
    fn what_a_proxy_in_front_says_is_kept() {
        let says = [
            ("Host", "inner"),
            ("X-Forwarded-For", "1.1.1.1"),
            ("X-Forwarded-For", "2.2.2.2, 3.3.3.3"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "outer"),
        ];
        let (parts, _) = prepared("GET", "/", &says).unwrap();
        assert_eq!(
            listed(&parts.headers),
            pairs(&[
                ("host", "inner"),
                ("x-forwarded-for", "1.1.1.1, 2.2.2.2, 3.3.3.3, 10.0.0.9"),
                ("x-forwarded-host", "outer"),
                ("x-forwarded-proto", "https"),
            ])
        );
    }

    #[test]
    fn an_absolute_target_names_the_host() {
        let (parts, _) = prepared("GET", "http://real:81/a?b=c", &[("Host", "other")]).unwrap();
        assert_eq!(
            (parts.uri.to_string().as_str(), &parts.headers["host"]),
            ("/a?b=c", &HeaderValue::from_static("real:81"))
        );
        let (parts, _) = prepared("GET", "http://real", &[("Host", "real")]).unwrap();
        assert_eq!(parts.uri.to_string(), "/");
    }

    #[test]
    fn targets_and_hosts_that_make_no_sense_are_refused() {
        for (method, target, headers, refused) in [
            ("GET", "/", &[][..], BadRequest::NoHost),
            ("GET", "/", &[("Host", "a"), ("Host", "a")], BadRequest::SeveralHosts),
            ("GET", "/", &[("Host", "a/b")], BadRequest::InvalidHost),
            ("GET", "/", &[("Host", "a, b")], BadRequest::InvalidHost),
            ("GET", "/", &[("Host", "user@a")], BadRequest::InvalidHost),
            ("GET", "*", &[("Host", "a")], BadRequest::NoPath),
            ("CONNECT", "a:1", &[("Host", "a")], BadRequest::Connect),
        ] {
            assert_eq!(prepared(method, target, headers).unwrap_err(), refused, "{method} {target} {headers:?}");
        }
        assert!(prepared("OPTIONS", "*", &[("Host", "a")]).is_ok());
        assert!(prepared("GET", "/", &[("Host", "")]).is_ok());
    }
}
