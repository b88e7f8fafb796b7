//! The generator against servers that misbehave on purpose. Counts decide, not times.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::LocalSet,
    time::sleep,
};

use super::{Exchange, Load, LoadConfig, Loss, Mode, Report, config::Endpoint, connection::Connection, pool, start};
use crate::demo::app::{
    ErrorRate, Settings,
    tests::{App, refusing},
};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const LAST_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 2\r\n\r\nok";
const BOTH_MODES: [Mode; 2] = [Mode::KeepAlive { connections: 4 }, Mode::ConnectionPerRequest];

/// Twenty requests in a tenth of a second.
fn twenty(url: &str, mode: Mode) -> LoadConfig {
    let mut config = LoadConfig::new([url], 200);
    config.duration = Some(Duration::from_millis(100));
    config.mode = mode;
    config
}

async fn report(config: LoadConfig) -> Report {
    let report = start(config).unwrap().report().await.unwrap();
    assert_eq!(report.sent, report.answered + report.lost_total());
    assert_eq!(report.answered, report.by_version.values().sum::<u64>());
    report
}

/// All twenty lost in this way, in both modes.
async fn assert_all_lost(url: &str, loss: Loss) {
    for mode in BOTH_MODES {
        let report = report(twenty(url, mode)).await;
        assert_eq!((report.answered, &report.lost), (0, &[(loss, 20)].into()), "{mode:?}");
        assert_eq!((report.longest_gap.start_us, report.longest_gap.length_us), (0, report.duration_us));
    }
}

/// A server whose connections are handled by `handle`, for as long as the test runs.
async fn server<H>(handle: impl Fn(TcpStream) -> H + Send + 'static) -> String
where
    H: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(handle(stream));
        }
    });
    format!("http://{address}/")
}

/// Whether a request came, rather than the end.
async fn request(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}

/// A server that answers each connection's first request with `answer` and closes.
async fn answers_once(answer: &'static [u8]) -> String {
    server(move |mut stream| async move {
        if request(&mut stream).await {
            stream.write_all(answer).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_good_service_loses_nothing_and_is_counted_by_version() {
    let settings = Settings { version: "v7".to_owned(), latency: Duration::from_millis(20), ..Settings::default() };
    let app = App::start(settings).await;
    for mode in BOTH_MODES {
        let report = report(twenty(&app.url("/"), mode)).await;
        assert_eq!((report.sent, report.answered, report.reopened), (20, 20, 0), "{report}");
        assert_eq!(report.by_version, [("v7".to_owned(), 20)].into());
        assert!(report.latency.p50_us >= 20_000, "{report}");
    }
}

#[tokio::test]
async fn urls_are_asked_in_turn() {
    let a = App::start(Settings { version: "a".to_owned(), ..Settings::default() }).await;
    let b = App::start(Settings { version: "b".to_owned(), ..Settings::default() }).await;
    let mut config = twenty(&a.url("/"), Mode::KeepAlive { connections: 1 });
    config.urls.push(b.url("/"));
    assert_eq!(report(config).await.by_version, [("a".to_owned(), 10), ("b".to_owned(), 10)].into());
}

#[tokio::test]
async fn a_refused_connection_is_a_loss() {
    let (_socket, address) = refusing();
    assert_all_lost(&format!("http://{address}/"), Loss::ConnectRefused).await;
}

#[tokio::test]
async fn a_close_before_the_answer_is_a_loss() {
    assert_all_lost(&answers_once(b"").await, Loss::ClosedBeforeAnswer).await;
    assert_all_lost(&answers_once(b"HTTP/1.1 200 OK\r\nContent-").await, Loss::ClosedBeforeAnswer).await;
}

#[tokio::test]
async fn a_close_without_a_look_at_the_request_is_a_reset() {
    let url = server(|mut stream| async move {
        stream.read_u8().await.unwrap();
    })
    .await;
    assert_all_lost(&url, Loss::Reset).await;
}

#[tokio::test]
async fn a_short_body_is_a_loss() {
    assert_all_lost(&answers_once(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok").await, Loss::ShortBody).await;
    assert_all_lost(
        &answers_once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n").await,
        Loss::ShortBody,
    )
    .await;
}

#[tokio::test]
async fn what_is_not_http_is_a_loss() {
    assert_all_lost(&answers_once(b"220 mail.example ESMTP\r\n\r\n").await, Loss::Malformed).await;
}

#[tokio::test]
async fn errors_are_lost_by_their_status() {
    assert_all_lost(&answers_once(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").await, Loss::Status(503)).await;
    assert_all_lost(&answers_once(b"HTTP/1.1 502 Bad\r\nContent-Length: 9\r\n\r\n").await, Loss::Status(502)).await;
    assert_all_lost(&answers_once(b"HTTP/1.1 404 Lost\r\nContent-Length: 0\r\n\r\n").await, Loss::Status(404)).await;

    let app = App::start(Settings { error_rate: ErrorRate::new(0.25).unwrap(), ..Settings::default() }).await;
    let partly = report(twenty(&app.url("/"), Mode::KeepAlive { connections: 2 })).await;
    assert_eq!((partly.answered, partly.lost), (15, [(Loss::Status(500), 5)].into()));
}

#[tokio::test]
async fn an_answer_that_never_comes_is_a_loss() {
    let url = server(|mut stream| async move { while request(&mut stream).await {} }).await;
    let mut config = twenty(&url, Mode::ConnectionPerRequest);
    config.timeout = Duration::from_millis(50);
    assert_eq!(report(config).await.lost, [(Loss::AnswerTimeout, 20)].into());
}

#[tokio::test]
async fn an_answer_to_another_request_is_a_loss() {
    let app = App::start(Settings::default()).await;
    let mut config = twenty(&app.url("/echo"), Mode::KeepAlive { connections: 4 });
    config.exchange = Exchange::Echo;
    assert_eq!(report(config.clone()).await.answered, 20);
    config.urls = vec![app.url("/")];
    assert_eq!(report(config).await.lost, [(Loss::WrongBody, 20)].into());
}

#[tokio::test]
async fn more_outstanding_requests_than_allowed_are_lost() {
    let (release, released) = watch::channel(false);
    let url = server(move |mut stream| {
        let mut released = released.clone();
        async move {
            if request(&mut stream).await {
                released.wait_for(|released| *released).await.unwrap();
                stream.write_all(LAST_ANSWER).await.unwrap();
            }
        }
    })
    .await;
    let mut config = twenty(&url, Mode::ConnectionPerRequest);
    config.max_outstanding = 3;
    config.timeout = Duration::from_secs(3600);
    let load = start(config).unwrap();
    while load.progress().sent < 20 {
        sleep(Duration::from_millis(5)).await;
    }
    let waiting = load.progress();
    assert_eq!((waiting.outstanding, waiting.answered, waiting.lost_total()), (3, 0, 17));
    release.send(true).unwrap();
    let report = load.report().await.unwrap();
    assert_eq!((report.answered, report.lost), (3, [(Loss::Overrun, 17)].into()));
}

#[tokio::test]
async fn an_announced_close_is_no_loss() {
    let url = server(|mut stream| async move {
        for answer in [ANSWER, ANSWER, LAST_ANSWER] {
            if !request(&mut stream).await {
                return;
            }
            stream.write_all(answer).await.unwrap();
        }
        // Sent on in spite of the announcement, a request would never be answered.
        std::future::pending::<()>().await;
    })
    .await;
    let report = report(twenty(&url, Mode::KeepAlive { connections: 2 })).await;
    assert_eq!((report.answered, report.reopened), (20, 0), "{report}");
}

#[tokio::test]
async fn a_kept_connection_that_dies_under_a_request_is_a_loss() {
    static KILLED: AtomicU64 = AtomicU64::new(0);
    let url = server(|mut stream| async move {
        if request(&mut stream).await {
            stream.write_all(ANSWER).await.unwrap();
            if request(&mut stream).await {
                KILLED.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    let report = report(twenty(&url, Mode::KeepAlive { connections: 1 })).await;
    let killed = KILLED.load(Ordering::SeqCst);
    assert!(killed > 0);
    assert_eq!((report.answered, report.lost), (20 - killed, [(Loss::ClosedBeforeAnswer, killed)].into()));
}

#[tokio::test]
async fn a_close_that_can_be_read_is_seen_before_anything_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = LoadConfig::new([format!("http://{}/", listener.local_addr().unwrap())], 1);
    config.mode = Mode::KeepAlive { connections: 1 };
    let endpoint: Endpoint = config.endpoints().unwrap().remove(0);
    LocalSet::new()
        .run_until(async {
            let connections = pool::Pool::new(1);
            let pool::Taken::New(Some(place)) = connections.take() else { panic!("expected a new connection") };
            let mut connection = Connection::open(&endpoint).await.unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            assert!(connection.ready().await);
            assert!(connection.is_fresh());
            connections.put(pool::Kept::new(connection, place));
            // Nothing lets the runtime notice: between the close and the look there is no await.
            drop(accepted);
            assert!(matches!(connections.take(), pool::Taken::Replacing(_)));
        })
        .await;
}

#[tokio::test]
async fn connections_that_the_service_closes_while_idle_are_replaced() {
    static OPEN: Semaphore = Semaphore::const_new(0);
    let url = server(|mut stream| async move {
        while request(&mut stream).await {
            stream.write_all(ANSWER).await.unwrap();
            if let Ok(permit) = OPEN.try_acquire() {
                permit.forget();
                return;
            }
        }
    })
    .await;
    let mut config = LoadConfig::new([url], 50);
    config.mode = Mode::KeepAlive { connections: 1 };
    let load = start(config).unwrap();
    while load.progress().reopened == 0 {
        OPEN.add_permits(1);
        sleep(Duration::from_millis(30)).await;
    }
    load.stop();
    let report = load.report().await.unwrap();
    assert!(report.answered > 0);
}

#[tokio::test]
async fn a_stall_is_a_gap() {
    static CAME: AtomicU64 = AtomicU64::new(0);
    static ANSWERING: Semaphore = Semaphore::const_new(1);
    let url = server(|mut stream| async move {
        if request(&mut stream).await {
            // The twentieth request keeps all later ones waiting.
            let _permit = ANSWERING.acquire().await.unwrap();
            if CAME.fetch_add(1, Ordering::SeqCst) == 20 {
                sleep(Duration::from_millis(500)).await;
            }
            stream.write_all(LAST_ANSWER).await.unwrap();
        }
    })
    .await;
    let mut config = twenty(&url, Mode::ConnectionPerRequest);
    config.duration = Some(Duration::from_secs(1));
    let report = report(config).await;
    assert_eq!(report.answered, 200, "{report}");
    assert!(report.gaps.contains(&report.longest_gap), "{report}");
}

#[tokio::test]
async fn without_a_duration_it_runs_until_stopped() {
    let app = App::start(Settings::default()).await;
    let load: Load = start(LoadConfig::new([app.url("/")], 1_000)).unwrap();
    while load.progress().answered < 100 {
        sleep(Duration::from_millis(5)).await;
    }
    load.stop();
    let report = load.report().await.unwrap();
    assert!(report.answered >= 100);
    assert_eq!((report.sent, report.lost_total()), (report.answered, 0));
}
