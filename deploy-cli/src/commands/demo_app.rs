use crate::{
    CommandError, Exit,
    args::DemoAppArgs,
    demo::app::{self, Settings},
};

/// Runs the demo's application, or asks one for its health.
///
/// # Errors
/// Where its settings are wrong, or it was told to fail.
pub async fn demo_app(args: &DemoAppArgs) -> Result<Exit, CommandError> {
    let settings = Settings::from_env()?;
    if args.healthcheck {
        app::healthcheck(&format!("http://127.0.0.1:{}/healthz", settings.port)).await?;
    } else {
        app::run(settings).await?;
    }
    Ok(Exit::Done)
}
