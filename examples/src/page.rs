use deploy_core::{
    engine::Request,
    model::{Batch, Clocks, Count, Millis, Named, Order, Payload, Release, ServiceName, ServiceSpec},
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What is asked for to have a page served as a [`StaticSite`](crate::StaticSite). Equal pages are the same release.
pub fn page(service: ServiceName, version: impl Into<String>, html: &str) -> Request {
    let digest = format!("{:x}", Sha256::digest(html));
    let id = format!("{service}-{}", &digest[..16]);
    let release = Release { id: id.as_str().into(), service, version: version.into(), artifact: digest };
    let payloads = BTreeMap::from([(release.id.clone(), Payload::new(html))]);
    let spec = ServiceSpec {
        release,
        count: Count::Exactly(1),
        router: Some("link".into()),
        order: Order::StartFirst,
        batch: Batch::Size(1),
        check: Named::new("own", serde_json::Value::Null),
        clocks: Clocks { healthy_by: Millis::from_secs(1), ..Clocks::default() },
        smoke: Vec::new(),
        bake: Millis::ZERO,
        drain_by: Millis::ZERO,
        stop_by: Millis::ZERO,
        needs: Vec::new(),
        lives_in: Vec::new(),
        objects: Vec::new(),
        keep_failed: false,
        notes: Vec::new(),
    };
    Request { services: vec![spec], payloads }
}
