use super::decide::Wish;
use std::sync::Arc;
use tokio::sync::watch;

/// A handle by which a person's wish reaches a running deployment: a clone goes to whoever hears the signal.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<watch::Sender<Wish>>);

impl Default for Interrupt {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Wish::None)))
    }
}

impl Interrupt {
    /// Go back. On the way back already: nothing changes.
    pub fn go_back(&self) {
        self.0.send_replace(Wish::GoBack("it was interrupted"));
    }

    /// Stop where it stands, so that the same command carries on later.
    pub fn halt(&self) {
        self.0.send_replace(Wish::Halt);
    }

    pub(crate) fn wish(&self) -> Wish {
        *self.0.borrow()
    }

    /// Ends when the wish is another than the one given.
    pub(crate) async fn changed_from(&self, wish: Wish) {
        let mut receiver = self.0.subscribe();
        // the sender lives as long as we do
        let _ = receiver.wait_for(|now| *now != wish).await;
    }
}
