use crate::shared::Shared;
use deploy_core::{
    model::{Pace, ReleaseId, WorkloadRef},
    target::{Cx, TargetError},
};

impl Shared {
    /// Has the Deployment's controller replace one release by another, as fast as the user's own strategy says.
    pub(super) async fn replace(
        &self,
        cx: &Cx,
        workload: &WorkloadRef,
        from: &ReleaseId,
        _: Pace,
    ) -> Result<(), TargetError> {
        let nothing = || TargetError::Conflict { expected: format!("some of {from}"), found: "none".into() };
        let site = self.site(&workload.service).await?.ok_or_else(nothing)?;
        if site.current == workload.release {
            return Ok(());
        }
        if site.current != *from {
            return Err(site.foreign(&site.deployment, from));
        }
        self.keep(cx, &site, None).await?;
        self.put(cx, &site, from, &workload.release, None).await
    }
}
