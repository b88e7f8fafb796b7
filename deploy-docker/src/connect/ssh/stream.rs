use super::{Destination, SshError};
use std::{
    io,
    pin::Pin,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

/// How long `ssh` may take to end once its connection is closed: it may be the master of others.
const ENDED_BY: Duration = Duration::from_secs(3);
/// How long its last words may be on their way.
const WORDS_BY: Duration = Duration::from_millis(200);
/// How much of what it says is kept.
const WORDS: usize = 4096;
/// How many lines of it are told.
const LINES: usize = 3;

/// A connection through one `ssh`, which ends with it.
pub(super) struct Stream {
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// Dropped to say that it is closed.
    open: Option<oneshot::Sender<()>>,
    end: Option<JoinHandle<Result<(), SshError>>>,
}

impl Stream {
    pub(super) fn start(destination: &Destination) -> Result<Self, SshError> {
        let mut command = Command::new("ssh");
        command.args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "-T"]);
        command.args(destination.to_host()).args(destination.command());
        Self::run(command, destination)
    }

    fn run(mut command: Command, destination: &Destination) -> Result<Self, SshError> {
        // in a group of its own Ctrl-C doesn't reach it, nor does it reach the terminal: it must not ask
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => SshError::NotInstalled,
            _ => SshError::Process(Arc::new(error)),
        })?;
        let (input, output, words) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(output), Some(words)) = (output, words) else {
            return Err(SshError::Process(Arc::new(io::ErrorKind::BrokenPipe.into())));
        };
        let (open, closed) = oneshot::channel();
        let end = tokio::spawn(watch(child, words, closed, destination.clone()));
        Ok(Self { input, output, open: Some(open), end: Some(end) })
    }

    /// Has the Engine answer something that costs it nothing: whatever goes wrong is told before a request is sent.
    pub(super) async fn greet(&mut self, destination: &Destination) -> Result<(), SshError> {
        let misunderstood = |found| SshError::NotUnderstood { host: destination.host.clone(), found };
        // where it can't be sent, reading tells why
        let _ = self.write_all(b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n").await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let is_http = head.iter().zip(b"HTTP/1.").all(|(found, expected)| found == expected);
            if !is_http || head.len() > WORDS {
                head.truncate(80);
                return Err(misunderstood(format!("{:?}", last_lines(&head))));
            }
            match self.read_buf(&mut head).await {
                Ok(0) => return Err(misunderstood("its end".to_owned())),
                Ok(_) => {}
                Err(error) => return Err(error.downcast().unwrap_or_else(|error| SshError::Process(Arc::new(error)))),
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        self.input = None;
        self.open = None;
    }
}

/// Sees to it that the process ends once its connection is closed, and says why it ended.
async fn watch(
    mut child: Child,
    words: ChildStderr,
    closed: oneshot::Receiver<()>,
    destination: Destination,
) -> Result<(), SshError> {
    let said = Arc::new(Mutex::new(Vec::new()));
    let listening = tokio::spawn(listen(words, Arc::clone(&said)));
    let ended = tokio::select! {
        ended = child.wait() => ended,
        _ = closed => match timeout(ENDED_BY, child.wait()).await {
            Ok(ended) => ended,
            Err(_) => return child.kill().await.map_err(|error| SshError::Process(Arc::new(error))),
        },
    };
    let status = ended.map_err(|error| SshError::Process(Arc::new(error)))?;
    // a master that it left behind may go on holding that end
    let _ = timeout(WORDS_BY, listening).await;
    let said = last_lines(&said.lock().unwrap_or_else(PoisonError::into_inner));
    SshError::ended(&destination, status, said).map_or(Ok(()), Err)
}

async fn listen(mut words: ChildStderr, said: Arc<Mutex<Vec<u8>>>) {
    let mut part = [0; 1024];
    while let Ok(length @ 1..) = words.read(&mut part).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&part[..length]);
        let over = said.len().saturating_sub(WORDS);
        said.drain(..over);
    }
}

/// The end of it, in one line and without what a terminal would obey.
fn last_lines(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join("; ");
    last.chars().filter(|letter| !letter.is_control()).collect()
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.open.is_some() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.output).poll_read(context, buffer))?;
            if buffer.filled().len() > before || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            self.close();
        }
        // its end, or the reason for it
        let Some(end) = &mut self.end else { return Poll::Ready(Ok(())) };
        let ended = ready!(Pin::new(end).poll(context));
        self.end = None;
        Poll::Ready(ended.unwrap_or(Ok(())).map_err(io::Error::from))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.input {
            Some(input) => Pin::new(input).poll_write(context, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().map_or(Poll::Ready(Ok(())), |input| Pin::new(input).poll_flush(context))
    }

    /// The end of input, which nothing but closing the pipe tells.
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, Signal, kill_process};
    use std::path::Path;

    /// A connection through a shell in place of `ssh`.
    fn through(script: &str) -> (Stream, Destination) {
        let destination = Destination::parse("ssh://far").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        (Stream::run(command, &destination).unwrap(), destination)
    }

    async fn why(script: &str) -> SshError {
        let (mut stream, destination) = through(script);
        stream.greet(&destination).await.unwrap_err()
    }

    #[tokio::test]
    async fn the_end_of_input_is_passed_on_and_what_is_still_said_is_read() {
        let (mut stream, _) = through("cat; echo the end");
        stream.write_all(b"input, ").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "input, the end\n");
    }

    #[tokio::test]
    async fn its_process_ends_with_it_even_one_that_does_not_care() {
        let (mut stream, _) = through("echo $$; exec sleep 600");
        let mut said = [0; 32];
        let length = stream.read(&mut said).await.unwrap();
        let process = format!("/proc/{}", String::from_utf8_lossy(&said[..length]).trim());
        assert!(Path::new(&process).exists());
        drop(stream);
        let ended = async {
            while Path::new(&process).exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(60), ended).await.unwrap();
    }

    #[tokio::test]
    async fn the_reason_is_told_by_status_and_with_the_last_words() {
        let many = "for n in 1 2 3 4 5; do printf \"line $n\\r\\n\" >&2; done; printf '\\033[31mred' >&2;";
        let refused = why(&format!("{many} exit 255")).await;
        assert!(matches!(&refused, SshError::Ssh { said, .. } if said == "line 4; line 5; [31mred"), "{refused:?}");
        assert!(matches!(why("exit 127").await, SshError::NoDocker { .. }));
        assert!(matches!(why("exit 1").await, SshError::Docker { .. }));
        assert!(matches!(why("kill -9 $$").await, SshError::Ssh { .. }));
        assert!(matches!(why("exit 0").await, SshError::NotUnderstood { .. }));
        assert!(matches!(why("echo Welcome; cat").await, SshError::NotUnderstood { .. }));
        // as a master of connections does, which some versions of `ssh` leave behind with their output for errors
        let left = timeout(Duration::from_secs(60), why("sleep 600 <&- >&- & echo $! >&2; exit 255")).await.unwrap();
        let SshError::Ssh { said, .. } = left else { panic!("{left:?}") };
        kill_process(Pid::from_raw(said.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_breaks_is_told_from_one_that_ends() {
        let (mut stream, destination) = through("printf 'HTTP/1.1 200 OK\\r\\n\\r\\n'; echo broken >&2; exit 255");
        stream.greet(&destination).await.unwrap();
        let error = stream.read(&mut [0; 8]).await.unwrap_err();
        assert!(matches!(SshError::in_chain(&error), Some(SshError::Ssh { said, .. }) if said == "broken"));
        let (mut stream, destination) = through("printf 'HTTP/1.1 200 OK\\r\\n\\r\\n'");
        stream.greet(&destination).await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    }
}
