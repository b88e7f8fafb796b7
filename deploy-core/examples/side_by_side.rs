//! Prints the conformance reports that were recorded in a folder as one table, a column a target:
//! `DEPLOY_CONFORMANCE=FOLDER` for the suites' tests, then
//! `cargo run -p deploy-core --features testing --example side_by_side -- FOLDER`.

use deploy_core::testing::conformance::Report;
use std::{env, io, path::PathBuf};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| io::Error::other("expected a folder with reports"))?;
    let reports = Report::recorded(&folder)?;
    print!("{}", Report::side_by_side(&reports));
    for line in reports.iter().flat_map(Report::failures) {
        println!("{line}");
    }
    Ok(())
}
