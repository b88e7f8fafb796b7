//! The generator's thread: sends each request when it is due.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request,
    header::{CONNECTION, HOST, HeaderValue},
};
use jiff::Timestamp;
use tokio::{
    runtime,
    sync::oneshot,
    task::{LocalSet, spawn_local},
    time::{Instant, interval, sleep_until, timeout_at},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::{AbortOnDropHandle, TaskTracker},
};

use super::{
    Exchange, LoadConfig, LoadError, Loss, Mode, Progress, Report,
    config::{Endpoint, Schedule},
    connection::{Answer, Connection, Failure, Outgoing},
    pool::{Kept, Pool, Taken},
    tally::Tally,
};

/// How often [`Load::progress`] is brought up to date.
const PUBLISHED_EVERY: Duration = Duration::from_millis(20);

/// A generator that runs. Dropped, it stops sending and its report is lost.
#[derive(Debug)]
pub struct Load {
    progress: Arc<Mutex<Progress>>,
    stop: DropGuard,
    report: oneshot::Receiver<Report>,
}

/// Starts a generator on a thread of its own; the first request is sent at once.
///
/// # Errors
/// When the configuration asks for nothing that can be sent, or there is no thread to be had.
pub fn start(config: LoadConfig) -> Result<Load, LoadError> {
    let schedule = config.schedule()?;
    let endpoints = config.endpoints()?;
    // What may fail is made here and not on the thread, so that the caller hears of it.
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::Start)?;
    let tally = Tally::new()?;

    let progress = Arc::new(Mutex::new(Progress::default()));
    let stop = CancellationToken::new();
    let (send_report, report) = oneshot::channel();
    let (published, stopped) = (progress.clone(), stop.clone());
    thread::Builder::new()
        .name("load".to_owned())
        .spawn(move || {
            let generator = Rc::new(Generator::new(&config, endpoints, tally, published));
            let generated = LocalSet::new().block_on(&runtime, generator.generate(schedule, stopped));
            // Nobody waits for it if the handle was dropped.
            let _ = send_report.send(generated);
        })
        .map_err(LoadError::Start)?;
    Ok(Load { progress, stop: stop.drop_guard(), report })
}

impl Load {
    /// What happened until some 20 ms ago. Never delays the generator.
    pub fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends no further request. Those that are outstanding still get their time.
    pub fn stop(&self) {
        self.stop.token().cancel();
    }

    /// Waits until the generator has ended, by its duration or by [`stop`](Self::stop), and nothing is outstanding.
    ///
    /// # Errors
    /// When the generator's thread died.
    pub async fn report(self) -> Result<Report, LoadError> {
        self.report.await.map_err(|_| LoadError::Gone)
    }
}

/// What the requests share, on the generator's thread.
struct Generator {
    start: Instant,
    started: Timestamp,
    endpoints: Vec<(Endpoint, Pool)>,
    exchange: Exchange,
    timeout: Duration,
    max_outstanding: usize,
    tally: RefCell<Tally>,
    published: Arc<Mutex<Progress>>,
}

impl Generator {
    fn new(config: &LoadConfig, endpoints: Vec<Endpoint>, tally: Tally, published: Arc<Mutex<Progress>>) -> Self {
        let places = match config.mode {
            Mode::KeepAlive { connections } => connections,
            Mode::ConnectionPerRequest => 0,
        };
        Self {
            start: Instant::now(),
            started: Timestamp::now(),
            endpoints: endpoints.into_iter().map(|endpoint| (endpoint, Pool::new(places))).collect(),
            exchange: config.exchange,
            timeout: config.timeout,
            max_outstanding: config.max_outstanding,
            tally: RefCell::new(tally),
            published,
        }
    }

    async fn generate(self: Rc<Self>, schedule: Schedule, stop: CancellationToken) -> Report {
        let publishing = AbortOnDropHandle::new(spawn_local(self.clone().publish()));
        let requests = TaskTracker::new();
        for number in 0.. {
            let Some(due) = schedule.due(number) else { break };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = sleep_until(self.start + due) => (),
            }
            if self.tally.borrow().outstanding() < self.max_outstanding {
                self.tally.borrow_mut().due();
                requests.spawn_local(self.clone().request(number, due));
            } else {
                self.tally.borrow_mut().overrun();
            }
        }
        let ended_us = self.now_us();
        requests.close();
        requests.wait().await;
        drop(publishing);
        let mut tally = self.tally.borrow_mut();
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = tally.progress(self.now_us());
        tally.report(self.started, ended_us)
    }

    async fn publish(self: Rc<Self>) {
        let mut pause = interval(PUBLISHED_EVERY);
        loop {
            pause.tick().await;
            // A reader that was interrupted while it looks must not delay requests.
            if let Ok(mut published) = self.published.try_lock() {
                *published = self.tally.borrow().progress(self.now_us());
            }
        }
    }

    async fn request(self: Rc<Self>, number: u64, due: Duration) {
        let sent_us = self.now_us();
        self.tally.borrow_mut().sent(micros(due), sent_us);
        let deadline = Instant::now() + self.timeout;
        let (endpoint, pool) = &self.endpoints[(number % self.endpoints.len() as u64) as usize];
        let (answer, kept) = match self.ask(endpoint, pool, number, deadline).await {
            Ok(answered) => answered,
            Err(loss) => return self.tally.borrow_mut().lost(loss),
        };
        match self.judge(&answer, number) {
            Ok(()) => self.tally.borrow_mut().answered(answer.version, sent_us, self.now_us()),
            Err(loss) => self.tally.borrow_mut().lost(loss),
        }
        if let Some(mut kept) = kept
            && let Ok(true) = timeout_at(deadline, kept.connection.ready()).await
        {
            pool.put(kept);
        }
    }

    /// Sends the request once, and gives back the connection if it may be used again.
    async fn ask(
        &self,
        endpoint: &Endpoint,
        pool: &Pool,
        number: u64,
        deadline: Instant,
    ) -> Result<(Answer, Option<Kept>), Loss> {
        let mut outgoing = self.outgoing(endpoint, number);
        let place = match pool.take() {
            Taken::Kept(mut kept) => match exchange(&mut kept.connection, outgoing, deadline).await {
                Ok(answer) => {
                    let kept = answer.keep.then_some(kept);
                    return Ok((answer, kept));
                }
                Err(Failure::Lost(loss)) => return Err(loss),
                Err(Failure::Unsent(unsent)) => {
                    self.tally.borrow_mut().reopened();
                    outgoing = *unsent;
                    Some(kept.into_place())
                }
            },
            Taken::Replacing(place) => {
                self.tally.borrow_mut().reopened();
                Some(place)
            }
            Taken::New(place) => place,
        };
        if place.is_none() {
            outgoing.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let opened = timeout_at(deadline, Connection::open(endpoint)).await;
        let mut connection = opened.map_err(|_| Loss::ConnectTimeout)??;
        match exchange(&mut connection, outgoing, deadline).await {
            Ok(answer) => {
                let kept = place.filter(|_| answer.keep).map(|place| Kept::new(connection, place));
                Ok((answer, kept))
            }
            Err(Failure::Lost(loss)) => Err(loss),
            Err(Failure::Unsent(_)) => Err(Loss::ClosedBeforeAnswer),
        }
    }

    fn outgoing(&self, endpoint: &Endpoint, number: u64) -> Outgoing {
        let (method, body) = match self.exchange {
            Exchange::Get => (Method::GET, Bytes::new()),
            Exchange::Echo => (Method::POST, Bytes::from(number.to_string())),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = endpoint.path.clone();
        request.headers_mut().insert(HOST, endpoint.authority.clone());
        request
    }

    fn judge(&self, answer: &Answer, number: u64) -> Result<(), Loss> {
        if answer.status >= 400 {
            Err(Loss::Status(answer.status))
        } else if self.exchange == Exchange::Echo && answer.body != number.to_string() {
            Err(Loss::WrongBody)
        } else {
            Ok(())
        }
    }

    fn now_us(&self) -> u64 {
        micros(self.start.elapsed())
    }
}

async fn exchange(connection: &mut Connection, outgoing: Outgoing, deadline: Instant) -> Result<Answer, Failure> {
    match timeout_at(deadline, connection.exchange(outgoing)).await {
        Ok(exchanged) => exchanged,
        Err(_) => Err(Failure::Lost(Loss::AnswerTimeout)),
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
