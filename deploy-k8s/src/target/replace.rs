use crate::{
    hold::Hold,
    patch::JsonPatch,
    shared::{Change, Shared},
    site::{Site, is_leaving},
};
use deploy_core::{
    model::{Pace, ReleaseId, WorkloadRef},
    target::{Cx, TargetError},
};
use serde_json::json;

impl Shared {
    /// Has the Deployment's controller replace one release by another: as fast as the user's own strategy says or, where no
    /// new pod may stand beside an old one, all of the old first.
    pub(super) async fn replace(
        &self,
        cx: &Cx,
        workload: &WorkloadRef,
        from: &ReleaseId,
        pace: Pace,
    ) -> Result<(), TargetError> {
        let nothing = || TargetError::Conflict { expected: format!("some of {from}"), found: "none".into() };
        let (service, to) = (&workload.service, &workload.release);
        let mut site = self.site(service).await?.ok_or_else(nothing)?;
        self.strike_out(cx, &site).await?;
        if let Some((held, hold)) = &site.held {
            // begun before, there or back
            if site.current == hold.beside {
                self.end_recreate(cx, &site, held, hold).await?;
            } else {
                self.releases.clear_hold(cx.fence, held).await?;
            }
            site = self.site(service).await?.ok_or_else(nothing)?;
        }
        if site.current == *to {
            return Ok(());
        }
        if site.current != *from {
            return Err(site.foreign(&site.deployment, from));
        }
        if pace.surge > 0 || site.deployment.is_recreate() {
            self.keep(cx, &site, None).await?;
            return self.put(cx, &site, from, to, |there, content, patch| content.apply_last(there, patch)).await;
        }
        let hold = Hold::of(&site.deployment, site.hash(from).unwrap_or_default(), to);
        self.keep(cx, &site, Some(&hold)).await?;
        self.put(cx, &site, from, to, |there, content, patch| {
            content.apply_last(there, patch.set("/spec/strategy", json!({ "type": "Recreate" })))
        })
        .await?;
        self.end_recreate(cx, &site, from, &hold).await
    }

    /// Waits until the old pods are off and the new ones are made, and gives the user's own strategy back.
    async fn end_recreate(&self, cx: &Cx, site: &Site, from: &ReleaseId, hold: &Hold) -> Result<(), TargetError> {
        let to = &hold.beside;
        let is_over = |site: &Site| {
            let is_off = site.set(from).is_none_or(|set| set.pods.iter().all(|pod| is_leaving(pod)));
            let is_made = site.set(to).is_some_and(|set| set.set.spec["replicas"] != 0);
            is_off && is_made || site.deployment.replicas() == 0
        };
        self.until(cx, &site.service, &format!("{to} in the place of {from}"), is_over).await?;
        self.change(cx, site, |there| Ok((hold.is_on(there)).then(|| Change::new(hold.end(there, JsonPatch::new())))))
            .await?;
        self.releases.clear_hold(cx.fence, from).await
    }
}
