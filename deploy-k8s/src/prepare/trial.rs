use super::{PrepareError, object_name};
use crate::{
    api::{CallError, answered},
    manifest::{
        Manifest,
        merge::{ApplyPatch, patch},
    },
    names::{LAST_APPLIED, MANAGER},
    objects::asked,
    shared::Shared,
};
use deploy_core::model::Object;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams, PostParams},
    core::{DynamicObject, Status},
};
use serde_json::Value;

/// Kinds of which much can't be changed once one is there: the server is asked before anything is changed.
const FIXED: [(&str, &str); 4] =
    [("apps", "StatefulSet"), ("apps", "DaemonSet"), ("batch", "Job"), ("", "PersistentVolumeClaim")];

/// Whether it is asked of an object's kind what the server makes of one.
pub(super) fn is_tried(manifest: &Manifest) -> bool {
    FIXED.contains(&(manifest.group(), manifest.kind()))
}

impl Shared {
    /// That the server accepts an object as it is to be, in the place of what is there; nothing is changed.
    pub(super) async fn try_object(&self, manifest: &Manifest, object: &Object) -> Result<(), PrepareError> {
        let resolved = self.kinds.resolve(&self.api, manifest.api_version(), manifest.kind()).await?;
        let (to, name) = (resolved.of(&self.api), manifest.name());
        let there = answered(format!("read {}", object.object), to.get_opt(name)).await;
        let there = there.map_err(|error| PrepareError::Target(error.into()))?;
        let doing = format!("try to apply {}", object.object);
        let answer = match &there {
            Some(there) if asked(there) == object.spec => return Ok(()),
            Some(there) => {
                let last: Option<Value> =
                    there.annotations().get(LAST_APPLIED).and_then(|text| serde_json::from_str(text).ok());
                let params =
                    PatchParams { dry_run: true, field_manager: Some(MANAGER.into()), ..PatchParams::default() };
                let patch = patch(last.as_ref(), &object.spec);
                let patch = match &patch {
                    ApplyPatch::Strategic(body) => Patch::Strategic(body),
                    ApplyPatch::Merge(body) => Patch::Merge(body),
                };
                answered(doing, to.patch(name, &params, &patch)).await
            }
            None => {
                let new: DynamicObject =
                    serde_json::from_value(object.spec.clone()).map_err(|error| PrepareError::Refused {
                        at: manifest.place().to_string(),
                        object: object_name(manifest),
                        said: error.to_string(),
                    })?;
                let params = PostParams { dry_run: true, field_manager: Some(MANAGER.into()) };
                answered(doing, to.create(&params, &new)).await
            }
        };
        match answer {
            Ok(_) => Ok(()),
            Err(CallError::Refused { status, .. }) if status.code == 422 => {
                let (at, object, said) = (manifest.place().to_string(), object_name(manifest), fields(&status));
                Err(match there.is_some() && is_fixed(&status) {
                    true => {
                        let (kind, name) = (manifest.kind().to_lowercase(), name.to_owned());
                        PrepareError::Immutable { at, object, said, kind, name }
                    }
                    false => PrepareError::Refused { at, object, said },
                })
            }
            Err(error) => Err(super::refused(manifest, error)),
        }
    }
}

/// Whether what is said is that something can't be changed.
fn is_fixed(status: &Status) -> bool {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    causes.any(|cause| cause.reason == "FieldValueForbidden" || cause.message.contains("immutable"))
}

/// Which fields aren't accepted, and why: without what stands in them, which the server repeats at length.
fn fields(status: &Status) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let said: Vec<_> = causes
        .map(|cause| {
            let message = match cause.message.starts_with("Invalid value: ") {
                // `Invalid value: …: field is immutable`
                true => cause.message.rsplit_once(": ").map_or(cause.message.as_str(), |(_, why)| why),
                // a difference may follow
                false => cause.message.lines().next().unwrap_or_default(),
            };
            let why = message.trim_start_matches("Forbidden: ");
            format!("{}: {why}", cause.field)
        })
        .collect();
    match said.is_empty() {
        true => status.reason.clone(),
        false => said.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_stands_in_a_field_is_not_told() {
        let job = "Invalid value: core.PodTemplateSpec{Env:[]core.EnvVar{{Value:\"hunter2: x\"}}}: field is immutable";
        let claim = "Forbidden: spec is immutable after creation except resources.requests for bound claims\n\
                     \u{a0} core.PersistentVolumeClaimSpec{\n- StorageClassName: nil,\n }\n";
        let set = "Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden";
        let typo = "Invalid value: \"1x\": a valid environment variable name must start with a letter";
        let kind = "Unsupported value: \"OnDelet\": supported values: \"OnDelete\", \"RollingUpdate\"";
        for (reason, message, told, fixed) in [
            ("FieldValueInvalid", job, "spec: field is immutable", true),
            (
                "FieldValueForbidden",
                claim,
                "spec: spec is immutable after creation except resources.requests for bound claims",
                true,
            ),
            (
                "FieldValueForbidden",
                set,
                "spec: updates to statefulset spec for fields other than 'replicas' are forbidden",
                true,
            ),
            ("FieldValueInvalid", typo, "spec: a valid environment variable name must start with a letter", false),
            ("FieldValueNotSupported", kind, &format!("spec: {kind}"), false),
        ] {
            let status: Status = serde_json::from_value(json!({
                "status": "Failure", "message": message, "reason": "Invalid", "code": 422,
                "details": { "causes": [{ "reason": reason, "message": message, "field": "spec" }] },
            }))
            .unwrap();
            assert_eq!((fields(&status).as_str(), is_fixed(&status)), (told, fixed));
        }
    }
}
