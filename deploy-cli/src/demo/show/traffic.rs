use super::DemoError;
use crate::demo::load::{self, Load, LoadConfig, Progress, Report};
use async_trait::async_trait;

/// Requests that are being sent.
#[async_trait]
pub trait Traffic: Send + Sync {
    /// What was counted until a moment ago.
    fn progress(&self) -> Progress;

    /// Sends no further request, and tells what became of all.
    ///
    /// # Errors
    /// Where nobody counted to the end.
    async fn end(self: Box<Self>) -> Result<Report, DemoError>;
}

/// Begins to send requests from this process.
pub(super) fn from_here(url: String, rate: u32) -> Result<Box<dyn Traffic>, DemoError> {
    Ok(Box::new(load::start(LoadConfig::new([url], rate))?))
}

#[async_trait]
impl Traffic for Load {
    fn progress(&self) -> Progress {
        Load::progress(self)
    }

    async fn end(self: Box<Self>) -> Result<Report, DemoError> {
        self.stop();
        Ok(self.report().await?)
    }
}
