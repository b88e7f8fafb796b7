use crate::model::Millis;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails without its effect, in a way that may pass.
    FailBefore,
    /// It has its effect, and its answer is lost.
    FailAfter,
    /// It fails without its effect, and always will.
    Refuse,
    /// No effect, and no answer ever.
    HangBefore,
    /// It has its effect, and no answer comes ever.
    HangAfter,
    /// It comes so much later.
    Late(Millis),
    /// No answer ever; its effect comes so much later, whatever became of its caller.
    Stray(Millis),
    /// It is made twice in the same words, where that [may be](super::CallKind::mutates).
    Twice,
    /// Its caller is gone before the effect.
    CrashBefore,
    /// Its caller is gone so long after it began.
    CrashDuring(Millis),
    /// Its caller is gone after the effect, before the answer.
    CrashAfter,
    /// Its caller does nothing for so long, with this call on its way, and then goes on as if no time had passed.
    Freeze(Millis),
}
