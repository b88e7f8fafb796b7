use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{collections::HashMap, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
};

/// A registry on this host with one small image, which only one user may read: it has every name and tag.
pub(crate) struct Registry {
    port: u16,
    login: String,
    content: Arc<Content>,
}

struct Content {
    layer: String,
    manifest: Vec<u8>,
    /// By their digests.
    blobs: HashMap<String, Vec<u8>>,
}

impl Registry {
    pub(crate) async fn start(user: &str, password: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (login, content) = (STANDARD.encode(format!("{user}:{password}")), Arc::new(Content::new()));
        let (expected, served) = (format!("Basic {login}"), content.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (expected, served) = (expected.clone(), served.clone());
                tokio::spawn(async move {
                    let _ = served.serve(stream, &expected).await;
                });
            }
        });
        Self { port, login, content }
    }

    /// The image under a name of the caller's.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("127.0.0.1:{}/{name}:1", self.port)
    }

    /// What `docker login` writes.
    pub(crate) fn config(&self) -> String {
        json!({ "auths": { format!("127.0.0.1:{}", self.port): { "auth": self.login } } }).to_string()
    }

    /// The digest of the image's layer.
    pub(crate) fn layer(&self) -> &str {
        &self.content.layer
    }
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

impl Content {
    fn new() -> Self {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(4);
        archive.append_data(&mut header, "base", &b"base"[..]).unwrap();
        let layer = archive.into_inner().unwrap();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
            "history": [{ "created": "2026-01-01T00:00:00Z", "created_by": "test" }],
        });
        let config = config.to_string().into_bytes();
        let part =
            |kind: &str, bytes: &[u8]| json!({ "mediaType": kind, "size": bytes.len(), "digest": digest(bytes) });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": part("application/vnd.docker.container.image.v1+json", &config),
            "layers": [part("application/vnd.docker.image.rootfs.diff.tar.gzip", &layer)],
        });
        let blobs = [config, layer.clone()].map(|blob| (digest(&blob), blob));
        Self { layer: digest(&layer), manifest: manifest.to_string().into_bytes(), blobs: HashMap::from(blobs) }
    }

    async fn serve(&self, stream: TcpStream, expected: &str) -> std::io::Result<()> {
        let mut stream = BufStream::new(stream);
        loop {
            let (mut request, mut login) = (String::new(), None);
            if stream.read_line(&mut request).await? == 0 {
                return Ok(());
            }
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await?;
                match line.trim_end().split_once(": ") {
                    Some((name, value)) if name.eq_ignore_ascii_case("authorization") => login = Some(value.to_owned()),
                    Some(_) => {}
                    None => break,
                }
            }
            let (method, path) = request.split_once(' ').unwrap_or_default();
            let path = path.split(' ').next().unwrap_or_default();
            let last = path.rsplit('/').next().unwrap_or_default();
            let (status, kind, body): (_, _, &[u8]) = if login.as_deref() != Some(expected) {
                ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"test\"", "application/json", b"{}")
            } else if path.contains("/manifests/") {
                ("200 OK", "application/vnd.docker.distribution.manifest.v2+json", &self.manifest)
            } else if let Some(blob) = self.blobs.get(last) {
                ("200 OK", "application/octet-stream", blob)
            } else {
                ("200 OK", "application/json", b"{}")
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\r\n",
                body.len(),
                digest(body)
            );
            stream.write_all(head.as_bytes()).await?;
            if method != "HEAD" {
                stream.write_all(body).await?;
            }
            stream.flush().await?;
        }
    }
}
