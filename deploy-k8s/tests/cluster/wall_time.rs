//! How long a deployment takes, compared with what Kubernetes alone needs for the same change.

use crate::{ground::Ground, site::Site, web::Web};
use deploy_core::{
    engine::Finish,
    model::End,
    strategy::{BlueGreen, Rolling, Strategy},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How many interleaved runs.
const RUNS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures: --ignored, on a machine that does nothing else"]
async fn wall_time() {
    let Some(ground) = Ground::new().await else { return };
    ground.start(&Web::default()).await;
    let mut site = Site::new(ground).await;
    site.settle = Duration::ZERO;
    let mut times = BTreeMap::<_, Vec<f64>>::new();
    let strategies: [Option<&dyn Strategy>; 3] = [None, Some(&Rolling), Some(&BlueGreen)];
    // the first round makes what lasts: the key, the lease
    for run in 0..=RUNS {
        for (number, strategy) in strategies.iter().enumerate() {
            let version = format!("{run}.{number}");
            let web = Web { version: &version, ..Web::default() };
            let began = Instant::now();
            match strategy {
                None => {
                    site.ground.apply(&web.manifests(&site.ground)).await;
                    site.ground.rolled_out(web.name).await;
                }
                Some(strategy) => {
                    let report = site.deploy(&web, *strategy).await;
                    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
                }
            }
            if run > 0 {
                let name = strategy.map_or("kubectl", |strategy| strategy.name());
                let took = began.elapsed().as_secs_f64();
                eprintln!("{name}: {took:.2} s");
                times.entry(name).or_default().push(took);
            }
            site.ground.runs_in(web.name, web.replicas as usize).await;
        }
    }
    let median = |name: &str| {
        let mut times = times[name].clone();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (alone, rolling, blue_green) = (median("kubectl"), median("rolling"), median("blue-green"));
    eprintln!("{times:.2?}");
    eprintln!("rolling is {:.2} of `kubectl apply` and `kubectl rollout status`", rolling / alone);
    eprintln!("blue-green is {:.2} of rolling, without the time to settle", blue_green / rolling);
}
