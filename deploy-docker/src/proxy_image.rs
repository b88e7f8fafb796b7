use crate::{
    connect::Connection,
    image::{inspect, own_image},
};
use deploy_core::target::TargetError;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The image that proxies and agents run: looked for when it is needed first.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProxyImage {
    /// An image's name; our own executable where it is absent.
    named: Option<String>,
    found: Arc<OnceCell<String>>,
}

impl ProxyImage {
    pub(crate) fn new(named: Option<String>) -> Self {
        Self { named, found: Arc::default() }
    }

    /// Its name; it is there when this returns.
    pub(crate) async fn name(&self, connection: &Connection) -> Result<String, TargetError> {
        let find = || async {
            let Some(named) = &self.named else { return own_image(connection).await };
            match inspect(&connection.docker, named).await? {
                Some(_) => Ok(named.clone()),
                None => Err(TargetError::Rejected {
                    why: format!(
                        "expected the proxy's image {named} on the Engine's host, but found none: pull it first"
                    ),
                }),
            }
        };
        self.found.get_or_try_init(find).await.cloned()
    }
}
