//! The suite that every target must pass, with its router, its lease and its journal.
//!
//! Whoever writes a target implements [`Subject`] for it, and runs the suite:
//!
//! ```
//! use deploy_core::testing::conformance::{self, Subject};
//!
//! async fn my_target_passes(subject: &dyn Subject) {
//!     let report = conformance::run("my target", subject).await;
//!     println!("{report}"); // a line a case
//!     assert!(report.is_passed());
//! }
//! ```
//!
//! The suite speaks to the real backend, in real time; it starts, stops and removes instances of the two releases, and
//! nothing else. Each case begins with a [reset](Subject::reset).

mod fences;
mod journal;
mod lease;
mod objects;
mod report;
mod routes;
mod sets;
mod stage;
mod subject;
mod words;

pub use report::{Line, Report, Verdict};
pub use subject::Subject;

use futures_util::future::BoxFuture;
use stage::{Miss, Stage};

/// One case.
struct Case {
    about: &'static str,
    says: &'static str,
    run: for<'a> fn(&'a Stage<'_>) -> BoxFuture<'a, Result<(), Miss>>,
}

macro_rules! cases {
    ($about:literal: $($says:literal => $run:path,)*) => {
        pub(super) const CASES: &[crate::testing::conformance::Case] = &[$(crate::testing::conformance::Case {
            about: $about,
            says: $says,
            run: |stage| Box::pin($run(stage)),
        }),*];
    };
}
use cases;

/// Runs the suite. A case that fails, hangs or can't be asked of this target doesn't keep the others from running.
pub async fn run(name: &str, subject: &dyn Subject) -> Report {
    let groups =
        [sets::CASES, objects::CASES, words::CASES, routes::CASES, fences::CASES, lease::CASES, journal::CASES];
    let mut report = Report { name: name.into(), lines: Vec::new() };
    for case in groups.into_iter().flatten() {
        let verdict = match Stage::run(subject, case).await {
            Ok(()) => Verdict::Passed,
            Err(Miss::Failed(why)) => Verdict::Failed(why),
            Err(Miss::NotApplicable(why)) => Verdict::NotApplicable(why),
        };
        report.lines.push(Line { about: case.about.into(), case: case.says.into(), verdict });
    }
    report
}
