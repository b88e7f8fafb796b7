use crate::target::TargetError;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What was asked for under a lease and may still have an effect: calls that were begun and never answered, because they
/// were given up at a deadline, or because the answer was lost on its way.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    /// Makes a call that changes something.
    pub(super) async fn call<T>(&self, call: impl Future<Output = Result<T, TargetError>>) -> Result<T, TargetError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let answer = call.await;
        if !matches!(answer, Err(TargetError::Unreachable { .. })) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
        answer
    }

    /// Whether any of them may still have an effect.
    pub(super) fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}
