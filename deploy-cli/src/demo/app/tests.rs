//! The application, in this process, over real connections.

use std::time::Duration;

use bytes::Bytes;
use hyper::{Response, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use super::{AppError, ClientError, ErrorRate, Fault, Settings, VERSION_HEADER, client, healthcheck, serve};

/// An application in a task of the test's runtime.
pub(crate) struct App {
    pub(crate) address: String,
    end: oneshot::Sender<()>,
    served: JoinHandle<Result<(), AppError>>,
}

impl App {
    pub(crate) async fn start(settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (end, told_to_end) = oneshot::channel();
        let served = tokio::spawn(async move {
            serve(listener, settings, async {
                told_to_end.await.unwrap();
            })
            .await
        });
        Self { address, end, served }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> Response<Bytes> {
        client::get(&self.url(path)).await.unwrap()
    }

    async fn status(&self, path: &str) -> u16 {
        self.get(path).await.status().as_u16()
    }
}

/// An address that refuses connections for as long as the socket, which never listens, is there.
pub(crate) fn refusing() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

fn version(response: &Response<Bytes>) -> &str {
    response.headers()[VERSION_HEADER].to_str().unwrap()
}

fn with(fault: Fault) -> Settings {
    Settings { fault: Some(fault), ..Settings::default() }
}

#[tokio::test]
async fn answers_carry_the_version() {
    let app = App::start(Settings { version: "v7".to_owned(), ..Settings::default() }).await;
    let root = app.get("/").await;
    assert_eq!((root.status(), version(&root), &root.body()[..]), (StatusCode::OK, "v7", &b"v7\n"[..]));
    let slow = app.get("/slow?ms=1").await;
    assert_eq!((slow.status(), version(&slow), &slow.body()[..]), (StatusCode::OK, "v7", &b"v7\n"[..]));
    assert_eq!(app.status("/slow?ms=long").await, 400);
    assert_eq!(app.status("/elsewhere").await, 404);
    assert_eq!(version(&app.get("/healthz").await), "v7");
}

#[tokio::test]
async fn headers_are_shown_as_they_arrived() {
    let app = App::start(Settings::default()).await;
    let shown = app.get("/headers?a=b").await;
    assert_eq!(String::from_utf8_lossy(shown.body()), format!("GET /headers?a=b HTTP/1.1\nhost: {}\n", app.address));
}

#[tokio::test]
async fn echo_gives_the_body_back() {
    let app = App::start(Settings::default()).await;
    let mut stream = TcpStream::connect(&app.address).await.unwrap();
    stream
        .write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("hello"), "{answer}");
}

#[tokio::test]
async fn fetch_passes_on_what_another_service_answers() {
    let other = App::start(Settings { version: "other".to_owned(), ..Settings::default() }).await;
    let app = App::start(Settings::default()).await;
    let fetched = app.get(&format!("/fetch?url={}", other.url("/slow?ms=1"))).await;
    assert_eq!((version(&fetched), &fetched.body()[..]), ("other", &b"other\n"[..]));
    assert_eq!(app.status(&format!("/fetch?url={}", other.url("/nothing"))).await, 404);
    assert_eq!(app.status("/fetch").await, 400);

    let (_socket, address) = refusing();
    let refused = app.get(&format!("/fetch?url=http://{address}/")).await;
    assert_eq!((refused.status().as_u16(), version(&refused)), (502, "v1"));
}

#[tokio::test]
async fn the_error_rate_spares_the_health_check() {
    let app = App::start(Settings { error_rate: ErrorRate::new(0.25).unwrap(), ..Settings::default() }).await;
    let mut failed = 0;
    for _ in 0..20 {
        failed += u32::from(app.status("/").await == 500);
        assert_eq!(app.status("/healthz").await, 200);
    }
    assert_eq!(failed, 5);
}

#[tokio::test]
async fn the_health_check_tells_healthy_from_unhealthy_and_from_gone() {
    let healthy = App::start(Settings::default()).await;
    assert!(healthcheck(&healthy.url("/healthz")).await.is_ok());

    let unhealthy = App::start(with(Fault::Unhealthy)).await;
    let error = healthcheck(&unhealthy.url("/healthz")).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Unhealthy { status: StatusCode::INTERNAL_SERVER_ERROR, body, .. } if body == "unhealthy"),
        "{error}"
    );
    assert_eq!(unhealthy.status("/").await, 200);

    let later = App::start(with(Fault::UnhealthyAfter(Duration::ZERO))).await;
    assert_eq!(later.status("/healthz").await, 500);
    let not_yet = App::start(with(Fault::UnhealthyAfter(Duration::from_secs(3600)))).await;
    assert_eq!(not_yet.status("/healthz").await, 200);

    let (_socket, address) = refusing();
    assert!(matches!(healthcheck(&format!("http://{address}/")).await, Err(ClientError::Connect { .. })));
    assert!(matches!(healthcheck("127.0.0.1:80/healthz").await, Err(ClientError::Url(_))));
}

#[tokio::test]
async fn what_is_in_flight_is_finished_and_idle_connections_are_closed() {
    let app = App::start(Settings::default()).await;
    let mut unused = TcpStream::connect(&app.address).await.unwrap();
    let mut kept = TcpStream::connect(&app.address).await.unwrap();
    kept.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    kept.read_exact(&mut [0; 15]).await.unwrap();
    let mut busy = TcpStream::connect(&app.address).await.unwrap();
    busy.write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe").await.unwrap();
    busy.read_exact(&mut [0; 15]).await.unwrap();

    app.end.send(()).unwrap();
    let mut rest = String::new();
    kept.read_to_string(&mut rest).await.unwrap();
    assert!(rest.ends_with("v1\n"), "{rest}");
    assert_eq!(unused.read(&mut [0]).await.unwrap(), 0);
    assert!(TcpStream::connect(&app.address).await.is_err());
    assert!(!app.served.is_finished());

    busy.write_all(b"llo").await.unwrap();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
    assert!(app.served.await.unwrap().is_ok());
}

#[tokio::test]
async fn exit_on_sigterm_does_not_wait_for_what_is_in_flight() {
    let app = App::start(with(Fault::ExitOnSigterm)).await;
    let mut busy = TcpStream::connect(&app.address).await.unwrap();
    busy.write_all(b"GET /slow?ms=3600000 HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(app.status("/").await, 200);
    app.end.send(()).unwrap();
    assert!(app.served.await.unwrap().is_ok());
}

#[tokio::test]
async fn idle_connections_are_closed_and_busy_ones_are_not() {
    let app = App::start(Settings { idle_close: Some(Duration::from_millis(20)), ..Settings::default() }).await;
    let mut stream = TcpStream::connect(&app.address).await.unwrap();
    stream.write_all(b"GET /slow?ms=150 HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("v1\n") && !answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_crash_and_an_exit_are_errors() {
    let app = App::start(with(Fault::CrashAfter(Duration::from_millis(10)))).await;
    assert!(matches!(app.served.await.unwrap(), Err(AppError::ToldToCrash(_))));
    assert!(matches!(super::run(with(Fault::Exit)).await, Err(AppError::ToldToExit)));
}

#[tokio::test]
async fn a_hanging_application_takes_requests_and_answers_none() {
    let app = App::start(with(Fault::Hang)).await;
    let mut stream = TcpStream::connect(&app.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let answer = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut [0])).await;
    assert!(answer.is_err(), "{answer:?}");
}
