//! Deploys a page: `static_site FOLDER PAGE`. A web server that serves `FOLDER/current` shows it. Run it again with another
//! page, or kill it anywhere and run it again.

use deploy_core::{engine::Engine, engine::Options, observer::Notice, strategy::BlueGreen};
use deploy_examples::{FolderJournal, FolderLease, StaticSite, page};
use std::{env, error::Error, fs, sync::Arc};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [folder, file] = &arguments[..] else { return Err("expected FOLDER and PAGE".into()) };
    let site = Arc::new(StaticSite::new("here".into(), "site".into(), folder));
    let journal = Arc::new(FolderJournal::new(folder)?);
    let engine = Engine::builder(site.clone(), Arc::new(FolderLease::new(folder)), journal)
        .router(site)
        .observer(Arc::new(|notice: &Notice| println!("{}", serde_json::to_string(notice).unwrap_or_default())))
        .build();
    let request = page("site".into(), file, &fs::read_to_string(file)?);
    for step in engine.plan(&request.services, &BlueGreen).await?.steps {
        println!("{:16} {}", step.id, step.op);
    }
    let report = engine.deploy(&request, &BlueGreen, &Options::default()).await?;
    println!("{:?}", report.finish);
    Ok(())
}
