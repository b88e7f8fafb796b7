//! A way to the Engine on which chosen calls come to harm.

use bytes::Bytes;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink},
    net::{UnixListener, UnixStream},
    sync::watch,
    time::sleep,
};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Nothing happens to it.
    None,
    /// It doesn't arrive: the connection ends.
    Cut,
    /// It arrives, and its answer doesn't: the connection ends then.
    Unanswered,
    /// The Engine says that it failed.
    Refused,
    /// It arrives after a time.
    Late(Duration),
    /// It doesn't arrive before the test [lets it go](Way::let_go), whoever still waits for the answer.
    Held,
}

/// A call to the Engine.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// From 0.
    pub(crate) number: usize,
    /// `POST /containers/shop-web-1/start`, without the query.
    pub(crate) line: String,
}

type Choose = Box<dyn FnMut(&Call) -> Harm + Send>;

/// A socket in front of the Engine's.
pub(crate) struct Way {
    pub(crate) address: String,
    inner: Arc<Inner>,
    accepting: tokio::task::JoinHandle<()>,
    _folder: TempDir,
}

struct Inner {
    engine: PathBuf,
    choose: Mutex<(usize, Choose)>,
    is_frozen: watch::Sender<bool>,
    may_go: watch::Sender<bool>,
    held: watch::Sender<Vec<String>>,
}

impl Way {
    /// To the Engine at an address, which must be a Unix socket's; none, with a message, where it is another.
    pub(crate) fn to(engine: &str, choose: impl FnMut(&Call) -> Harm + Send + 'static) -> Option<Self> {
        let Some(engine) = engine.strip_prefix("unix://").map(PathBuf::from) else {
            eprintln!("skipped, because the Engine at {engine} has no Unix socket");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let inner = Arc::new(Inner {
            engine,
            choose: Mutex::new((0, Box::new(choose))),
            is_frozen: watch::channel(false).0,
            may_go: watch::channel(false).0,
            held: watch::channel(Vec::new()).0,
        });
        let serving = Arc::clone(&inner);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let inner = Arc::clone(&serving);
                // whatever ends a connection is what the deployer has to bear
                tokio::spawn(async move { inner.serve(client).await });
            }
        });
        Some(Self { address: format!("unix://{}", socket.display()), inner, accepting, _folder: folder })
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        self.inner.choose.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Stops all traffic, and closes nothing.
    pub(crate) fn freeze(&self) {
        self.inner.is_frozen.send_replace(true);
    }

    /// Waits until a call is held. Which ones are.
    pub(crate) async fn held(&self) -> Vec<String> {
        let mut held = self.inner.held.subscribe();
        let some = tokio::time::timeout(crate::load::LONG, held.wait_for(|held| !held.is_empty())).await;
        some.expect("a call is held").unwrap().clone()
    }

    /// Waits until every call that was held has arrived.
    pub(crate) async fn none_held(&self) {
        let mut held = self.inner.held.subscribe();
        let none = tokio::time::timeout(crate::load::LONG, held.wait_for(Vec::is_empty)).await;
        drop(none.expect("what was held arrives"));
    }

    /// Lets everything pass that was held or frozen.
    pub(crate) fn let_go(&self) {
        self.inner.may_go.send_replace(true);
        self.inner.is_frozen.send_replace(false);
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Inner {
    async fn serve(&self, mut client: UnixStream) -> std::io::Result<()> {
        let (head, rest) = read_head(&mut client).await?;
        let (call, harm) = {
            let mut choose = self.choose.lock().unwrap_or_else(PoisonError::into_inner);
            let words: Vec<_> = head.split(' ').take(2).collect();
            let line = words.join(" ").split('?').next().unwrap_or_default().to_owned();
            let call = Call { number: choose.0, line };
            choose.0 += 1;
            let harm = (choose.1)(&call);
            (call, harm)
        };
        if std::env::var_os("SHOW").is_some() {
            eprintln!("call {} {} {harm:?}", call.number, call.line);
        }
        let sent = Bytes::from([one_at_a_time(&head).as_bytes(), &rest].concat());
        match harm {
            Harm::None => self.pass(client, sent).await,
            Harm::Cut => Ok(()),
            Harm::Refused => {
                let body = r#"{"message":"the test says no"}"#;
                let text = format!(
                    "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                client.write_all(text.as_bytes()).await?;
                client.shutdown().await?;
                copy(&mut client, &mut sink()).await.map(drop)
            }
            Harm::Late(time) => {
                sleep(time).await;
                self.pass(client, sent).await
            }
            Harm::Unanswered => self.deliver(client, sent, false).await,
            Harm::Held => {
                self.held.send_modify(|held| held.push(call.line.clone()));
                let _ = self.may_go.subscribe().wait_for(|may| *may).await;
                let delivered = self.deliver(client, sent, true).await;
                self.held.send_modify(|held| held.retain(|line| *line != call.line));
                delivered
            }
        }
    }

    /// Hands a call to the Engine and waits for its effect; the answer comes back if it may. The caller's end isn't passed
    /// on: the Engine might give it up.
    async fn deliver(&self, client: UnixStream, sent: Bytes, is_answered: bool) -> std::io::Result<()> {
        let mut engine = UnixStream::connect(&self.engine).await?;
        engine.write_all(&sent).await?;
        let (mut from_engine, mut to_engine) = engine.split();
        let (mut body, mut to_client) = client.into_split();
        let passing = async {
            copy(&mut body, &mut to_engine).await?;
            std::future::pending::<std::io::Result<u64>>().await
        };
        let answering = async {
            match is_answered {
                true => copy(&mut from_engine, &mut to_client).await.map(drop),
                false => from_engine.read(&mut [0; 1]).await.map(drop),
            }
        };
        tokio::select! {
            _ = passing => {}
            _ = answering => {}
        }
        Ok(())
    }

    /// Lets a call and its answer pass.
    async fn pass(&self, client: UnixStream, sent: Bytes) -> std::io::Result<()> {
        self.thawed().await;
        let mut engine = UnixStream::connect(&self.engine).await?;
        engine.write_all(&sent).await?;
        let (from_client, to_client) = client.into_split();
        let (from_engine, to_engine) = engine.into_split();
        tokio::try_join!(self.carry(from_client, to_engine), self.carry(from_engine, to_client)).map(drop)
    }

    async fn carry(&self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> std::io::Result<()> {
        let mut piece = vec![0; 16 * 1024];
        loop {
            let count = from.read(&mut piece).await?;
            self.thawed().await;
            match count {
                0 => return to.shutdown().await,
                count => to.write_all(&piece[..count]).await?,
            }
        }
    }

    async fn thawed(&self) {
        let _ = self.is_frozen.subscribe().wait_for(|is_frozen| !is_frozen).await;
    }
}

/// A request's head with its empty line, and what came after it.
async fn read_head(client: &mut UnixStream) -> std::io::Result<(String, Vec<u8>)> {
    let (mut read, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = read.split_off(at + 4);
            return Ok((String::from_utf8_lossy(&read).into_owned(), rest));
        }
        match client.read(&mut piece).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => read.extend_from_slice(&piece[..count]),
        }
    }
}

/// The head with the wish that the connection ends after the answer, so that each call has one of its own. One that is to
/// become a stream of bytes has that anyway.
fn one_at_a_time(head: &str) -> String {
    match head.to_ascii_lowercase().contains("\r\nupgrade:") {
        true => head.to_owned(),
        false => head.replacen("\r\n", "\r\nConnection: close\r\n", 1),
    }
}
