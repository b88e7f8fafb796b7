use super::{print, print_json};
use crate::{
    CommandError, Exit,
    args::{DemoLoadArgs, Output},
    demo::{
        load::{self, Line, Load, LoadConfig, Mode},
        show::DemoError,
    },
    run::Signals,
};
use deploy_core::model::Millis;

/// Sends requests until the time is over or a signal comes, and tells what became of them. Done: none was lost.
///
/// # Errors
/// Where nothing can be sent.
pub async fn demo_load(args: &DemoLoadArgs, output: Output) -> Result<Exit, CommandError> {
    let mut signals = Signals::listen().map_err(CommandError::Signals)?;
    let mut config = LoadConfig::new(&args.urls, args.rate);
    config.duration = args.duration.map(Millis::duration);
    if args.connection_per_request {
        config.mode = Mode::ConnectionPerRequest;
    }
    let load = load::start(config).map_err(DemoError::from)?;
    let over = async {
        match args.duration {
            Some(time) => tokio::time::sleep(time.duration()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => {}
        () = signals.next() => load.stop(),
        () = tell(&load, args.progress) => {}
    }
    let report = load.report().await.map_err(DemoError::from)?;
    match output {
        Output::Json => print_json(&Line::Report(report.clone())),
        Output::Text | Output::Plain => print(&format!("{report}\n"), output),
    }
    Ok(if report.lost_total() == 0 { Exit::Done } else { Exit::Failed })
}

/// Tells what was counted so far, again and again.
async fn tell(load: &Load, every: Option<Millis>) {
    let Some(every) = every else { return std::future::pending().await };
    loop {
        tokio::time::sleep(every.duration()).await;
        print_json(&Line::Progress(load.progress()));
    }
}
