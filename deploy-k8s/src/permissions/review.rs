use super::{
    needs::{Kind, Permissions, Resource},
    role::{NAME, cluster_role},
    rule::Need,
    rules::allows,
};
use crate::{
    api::{Api, CallError, answered},
    namespace::Namespace,
    objects::Entry,
    shared::Shared,
};
use deploy_core::{journal::Journal, model::Event};
use futures_util::future::{join, join_all};
use k8s_openapi::api::{
    authentication::v1::SelfSubjectReview,
    authorization::v1::{
        ResourceAttributes, ResourceRule, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SelfSubjectRulesReview,
        SelfSubjectRulesReviewSpec,
    },
};
use kube::{api::PostParams, core::ClusterResourceScope};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
};

/// What isn't allowed that a deployment needs. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionError {
    namespace: String,
    /// Who asked, as the API server calls them; none where it doesn't say.
    user: Option<String>,
    /// The verbs by resource.
    namespaced: BTreeMap<String, Vec<String>>,
    cluster_wide: BTreeMap<String, Vec<String>>,
}

impl std::error::Error for PermissionError {}

impl fmt::Display for PermissionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, user, namespaced, cluster_wide } = self;
        let who = user.as_deref().unwrap_or("the kubeconfig's user");
        write!(f, "expected {who} to be allowed what a deployment in namespace {namespace} needs, but found missing:")?;
        let lines = |f: &mut fmt::Formatter<'_>, missing: &BTreeMap<_, Vec<_>>, place: &str| {
            missing.iter().try_for_each(|(what, verbs)| write!(f, "\n  {} {what} {place}", verbs.join(", ")))
        };
        lines(f, namespaced, &format!("in namespace {namespace}"))?;
        lines(f, cluster_wide, "in the whole cluster")?;
        write!(
            f,
            "\nhave somebody who may: apply what `deploy rbac` prints for the same input (`deploy rbac … | kubectl apply -f -`)"
        )?;
        let subject = subject(user.as_deref());
        if !namespaced.is_empty() {
            write!(f, ", then `kubectl create rolebinding {NAME} -n {namespace} --role={NAME} {subject}`")?;
        }
        if !cluster_wide.is_empty() {
            let name = cluster_role(namespace);
            write!(f, ", then `kubectl create clusterrolebinding {name} --clusterrole={name} {subject}`")?;
        }
        Ok(())
    }
}

/// Whom a binding is for, as `kubectl create rolebinding` takes it.
fn subject(user: Option<&str>) -> String {
    match user.map(|user| (user, user.strip_prefix("system:serviceaccount:"))) {
        Some((_, Some(account))) => format!("--serviceaccount={account}"),
        Some((user, None)) => format!("--user={user}"),
        None => "--user=NAME".into(),
    }
}

impl Namespace {
    /// Asks whether all that a deployment needs is allowed, so that none stops halfway. One request mostly: what the rules
    /// of the namespace don't tell is asked one by one. What can't be asked is tried, as `kubectl` would.
    ///
    /// # Errors
    /// [`PermissionError`] with all that is missing. Nothing is ever changed.
    pub async fn may(&self, needed: &Permissions) -> Result<(), PermissionError> {
        self.shared.may(needed).await
    }

    /// The same for what goes on without an input: with the kinds of all objects that deployments brought, or the last one was
    /// about.
    ///
    /// # Errors
    /// [`PermissionError`] with all that is missing. Nothing is ever changed.
    pub async fn may_go_on(&self) -> Result<(), PermissionError> {
        let mut needed = Permissions::always();
        // where these may not be read, that is told with all else
        let (brought, last) = join(self.shared.inventory.read(), self.shared.journal.last(1)).await;
        brought.unwrap_or_default().iter().for_each(|entry| needed.add_entry(entry));
        let last = last.unwrap_or_default();
        if let Some(Event::Planned { plan }) = last.iter().find_map(|(_, records)| Some(&records.first()?.event)) {
            let objects = plan.services.iter().flat_map(|spec| &spec.objects);
            objects.for_each(|object| needed.add_entry(&Entry::of(object)));
        }
        self.shared.may(&needed).await
    }
}

impl Shared {
    async fn may(&self, needed: &Permissions) -> Result<(), PermissionError> {
        let api = &self.api;
        let (rules, found) = join(rules(api), self.found(needed)).await;
        let needed = needed.rules(&found);
        let namespaced = needed.musts().filter(|need| !allows(&rules, need)).map(|need| (need, Some(api.namespace())));
        // what a namespace's rules say of these isn't about the whole cluster
        let cluster_wide = needed.cluster_wide_musts().map(|need| (need, None));
        let asked = namespaced.chain(cluster_wide).map(async |(need, namespace)| {
            (!is_allowed(api, &need, namespace).await).then_some((need, namespace.is_some()))
        });
        let missing: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let of = |place: bool| {
            let mut verbs = BTreeMap::<_, Vec<String>>::new();
            for (need, _) in missing.iter().filter(|(_, is_namespaced)| *is_namespaced == place) {
                let named = need.name.iter().map(|name| format!(" {name}"));
                let what = format!("{}{}", need.what(), named.collect::<String>());
                verbs.entry(what).or_default().push(need.verb.into());
            }
            verbs
        };
        Err(PermissionError {
            namespace: api.namespace().into(),
            user: user(api).await,
            namespaced: of(true),
            cluster_wide: of(false),
        })
    }

    /// How the cluster has the kinds that aren't Kubernetes' own, but for those that it doesn't know yet.
    async fn found(&self, needed: &Permissions) -> BTreeMap<Kind, Resource> {
        let looks = needed.unknown().map(async |(kind, api_version)| {
            let resolved = self.kinds.resolve(&self.api, api_version, &kind.1).await.ok()?;
            let plural = resolved.plural().to_owned();
            Some((kind.clone(), Resource { plural, is_cluster_wide: !resolved.is_namespaced() }))
        });
        join_all(looks).await.into_iter().flatten().collect()
    }
}

/// What is allowed in the namespace, as far as the API server can tell; nothing where it can't be asked.
async fn rules(api: &Api) -> Vec<ResourceRule> {
    let spec = SelfSubjectRulesReviewSpec { namespace: Some(api.namespace().into()) };
    let review = SelfSubjectRulesReview { spec, ..SelfSubjectRulesReview::default() };
    let answer = ask(api, "list what is allowed", &review).await;
    answer.ok().and_then(|answer| answer.status).map(|status| status.resource_rules).unwrap_or_default()
}

/// Whether that is allowed; where it can't be asked, it is to be tried.
async fn is_allowed(api: &Api, need: &Need, namespace: Option<&str>) -> bool {
    let (resource, sub) = match need.resource.split_once('/') {
        Some((resource, sub)) => (resource, Some(sub)),
        None => (&*need.resource, None),
    };
    // a namespace is in itself
    let is_namespace = need.group.is_empty() && resource == "namespaces";
    let namespace = namespace.or(need.name.as_deref().filter(|_| is_namespace));
    let attributes = ResourceAttributes {
        group: Some(need.group.clone()),
        resource: Some(resource.into()),
        subresource: sub.map(str::to_owned),
        verb: Some(need.verb.into()),
        name: need.name.clone(),
        namespace: namespace.map(str::to_owned),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let answer = ask(api, &format!("learn whether one may {need}"), &review).await;
    answer.ok().and_then(|answer| answer.status).is_none_or(|status| status.allowed)
}

/// As whom the API server knows us.
async fn user(api: &Api) -> Option<String> {
    match ask(api, "learn who asks", &SelfSubjectReview::default()).await {
        Ok(answer) => answer.status?.user_info?.username,
        // servers before 1.28 don't know the question, but say who may not ask it
        Err(CallError::Refused { status, .. }) => {
            let (_, rest) = status.message.split_once("User \"")?;
            rest.split_once('"').map(|(user, _)| user.to_owned())
        }
        Err(CallError::Silent { .. }) => None,
    }
}

/// Asks a question that is put as an object.
async fn ask<K>(api: &Api, doing: &str, question: &K) -> Result<K, CallError>
where
    K: kube::Resource<Scope = ClusterResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    let to = kube::Api::<K>::all(api.client().clone());
    answered(doing.into(), to.create(&PostParams::default(), question)).await
}
