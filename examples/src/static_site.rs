use crate::folder::{Locked, read, switch_link, there, unreachable, write, write_whole};
use async_trait::async_trait;
use deploy_core::{model::*, prober::*, router::*, target::*};
use std::{fs, io, path::Path, path::PathBuf};

/// A static site as a target, its own router and its own prober. A web server serves the folder `current`, a link to
/// `releases/RELEASE`. A release is one page, its payload; its one instance is the folder that holds it. What was asked
/// for stands in `site.json`, payloads lie in `store/`. Each call is a short one to a local disk.
pub struct StaticSite {
    id: TargetId,
    router: RouterId,
    service: ServiceName,
    folder: PathBuf,
}

impl StaticSite {
    /// The site, a service of that name, in a folder; its router is called `link`.
    pub fn new(id: TargetId, service: ServiceName, folder: impl Into<PathBuf>) -> Self {
        Self { id, router: "link".into(), service, folder: folder.into() }
    }

    fn path(&self, place: &str, release: &ReleaseId) -> PathBuf {
        self.folder.join(place).join(release.as_str())
    }

    /// What was asked for, and where the link leads.
    fn world(&self) -> io::Result<World> {
        let mut world: World = read(&self.folder.join("site.json"))?.unwrap_or_default();
        let link = there(fs::read_link(self.folder.join("current")))?;
        if let Some(release) = link.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()) {
            let (target, service) = (self.id.clone(), self.service.clone());
            let shares = Shares::all_to(WorkloadRef { target, service, release: release.into() }, Some(1));
            world.routes = [(self.router.clone(), [(self.service.clone(), shares)].into())].into();
        }
        Ok(world)
    }

    /// Changes what is asked for: under the lock, and not under a stale fence.
    async fn change(&self, cx: &Cx, to: impl FnOnce(&mut World) -> io::Result<()> + Send) -> Result<(), TargetError> {
        let _lock = Locked::for_change(&self.folder, cx).await?;
        let mut world = World { routes: Default::default(), ..self.world().map_err(unreachable)? };
        to(&mut world).and_then(|()| write(&self.folder.join("site.json"), &world)).map_err(unreachable)
    }
}

#[async_trait]
impl Target for StaticSite {
    fn id(&self) -> &TargetId {
        &self.id
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn observe(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        if services.contains(&self.service) { self.world().map_err(unreachable) } else { Ok(World::default()) }
    }

    async fn store(&self, cx: &Cx, release: &Release, payload: &Payload) -> Result<(), TargetError> {
        self.change(cx, |world| {
            world.stored.insert(release.id.clone());
            write(&self.path("store", &release.id), &(release, payload.expose()))
        })
        .await
    }

    async fn ensure(&self, cx: &Cx, workload: &WorkloadRef, count: Option<u32>) -> Result<(), TargetError> {
        let Some(1) = count else { return Err(TargetError::Rejected { why: "ask for one instance of a site".into() }) };
        let start = |world: &mut World| {
            let id = &workload.release;
            let (release, page): (Release, String) = read(&self.path("store", id))?.ok_or(io::ErrorKind::NotFound)?;
            write_whole(&self.path("releases", id).join("index.html"), page.as_bytes(), 0o644)?;
            let (made_by, fence, workload) = (Some((cx.deployment, cx.step.clone())), Some(cx.fence), workload.clone());
            let one = Instance { name: id.to_string(), ordinal: 1, state: InstanceState::Running, restarts: 0 };
            world.workloads.retain(|there| there.workload != workload);
            world.workloads.push(Observed { workload, release, made_by, fence, asked: 1, instances: vec![one] });
            Ok(())
        };
        self.change(cx, start).await
    }

    async fn remove(&self, cx: &Cx, workload: &WorkloadRef, keep: bool) -> Result<(), TargetError> {
        let stop = |world: &mut World| {
            world.workloads.retain(|there| keep || there.workload != *workload);
            for there in world.workloads.iter_mut().filter(|there| there.workload == *workload) {
                there.asked = 0;
                there.instances.iter_mut().for_each(|instance| instance.state = InstanceState::Kept);
            }
            there(fs::remove_dir_all(self.path("releases", &workload.release))).map(drop) // its page stays in the store
        };
        self.change(cx, stop).await
    }

    fn prober(&self) -> &dyn Prober {
        self
    }

    async fn prune(&self, cx: &Cx, _: &ServiceName, keep: usize) -> Result<(), TargetError> {
        let prune = |world: &mut World| {
            let idle = world.workloads.iter().filter(|there| there.asked == 0).rev(); // the last made first
            for id in idle.skip(keep).map(|there| there.release.id.clone()).collect::<Vec<_>>() {
                there(fs::remove_file(self.path("store", &id)))?;
                world.stored.remove(&id);
                world.workloads.retain(|there| there.release.id != id);
            }
            Ok(())
        };
        self.change(cx, prune).await
    }
}

#[async_trait]
impl Router for StaticSite {
    fn id(&self) -> &RouterId {
        &self.router
    }

    async fn route(&self, cx: &Cx, service: &ServiceName, from: &Shares, to: &Shares) -> Result<Uptake, TargetError> {
        let _lock = Locked::for_change(&self.folder, cx).await?;
        let found = self.world().map_err(unreachable)?.shares(&self.router, service);
        if found != *from && found != *to {
            return Err(TargetError::Conflict { expected: from.to_string(), found: found.to_string() });
        }
        let one = to.iter().next();
        if one.is_some_and(|one| *to != Shares::all_to(one.workload.clone(), Some(1))) {
            return Err(TargetError::Rejected { why: "a link leads to one release; ask for one instance".into() });
        }
        let folder = one.map(|one| Path::new("releases").join(one.workload.release.as_str()));
        switch_link(&self.folder.join("current"), folder.as_deref()).map_err(unreachable)?;
        Ok(Uptake::Settle(Millis(100))) // a server may have read the link just before, and open the page after
    }

    async fn drain(&self, _: &Cx, _: &WorkloadRef, _: Millis) -> Result<Option<u64>, TargetError> {
        Ok(None) // an open page is read to its end, wherever the link leads
    }
}

#[async_trait]
impl Prober for StaticSite {
    async fn probe(&self, instance: &Instance, probe: &Probe, _: Millis) -> Result<Answer, ProbeError> {
        let Probe::Own = probe else { return Ok(Answer::NoSuchTest) };
        Ok(match fs::read_to_string(self.path("releases", &instance.name.as_str().into()).join("index.html")) {
            Ok(page) if page.contains("</html>") => Answer::Success,
            Ok(_) => Answer::Failure { why: "its page doesn't end with </html>".into() },
            Err(error) => Answer::Failure { why: format!("its page can't be read: {error}") },
        })
    }
}
