use super::{All, Any, CommandCheck, HealthCheck, HttpCheck, Not, OwnCheck, RunningCheck, TcpCheck};
use crate::model::Named;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

type Build = Arc<dyn Fn(&Value) -> Result<Arc<dyn HealthCheck>, serde_json::Error> + Send + Sync>;

/// The checks that plans may name: `http`, `tcp`, `command`, `own`, `running`, `all`, `any`, `not`, and a program's own.
#[derive(Clone)]
pub struct Checks {
    by_name: BTreeMap<String, Build>,
}

/// Why a check can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// Nobody registered it.
    #[error("expected a check by a known name ({known}), but found {name}")]
    Unknown {
        /// The name.
        name: String,
        /// The known ones.
        known: String,
    },
    /// Its parameters are wrong.
    #[error("the check {name} can't be used with {params}")]
    Parameters {
        /// The check's name.
        name: String,
        /// What was given.
        params: Value,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl Default for Checks {
    /// The built-in ones.
    fn default() -> Self {
        let mut checks = Self { by_name: BTreeMap::new() };
        checks.register("http", parsed::<HttpCheck>);
        checks.register("tcp", parsed::<TcpCheck>);
        checks.register("command", parsed::<CommandCheck>);
        checks.register("own", parsed::<OwnCheck>);
        checks.register("running", parsed::<RunningCheck>);
        checks
    }
}

fn parsed<C: HealthCheck + DeserializeOwned + 'static>(
    params: &Value,
) -> Result<Arc<dyn HealthCheck>, serde_json::Error> {
    let none = Value::Object(serde_json::Map::new());
    let params = if params.is_null() { &none } else { params };
    C::deserialize(params).map(|check| Arc::new(check) as Arc<dyn HealthCheck>)
}

impl Checks {
    /// Adds one, in place of an earlier one of that name.
    pub fn register(
        &mut self,
        name: impl Into<String>,
        build: impl Fn(&Value) -> Result<Arc<dyn HealthCheck>, serde_json::Error> + Send + Sync + 'static,
    ) {
        self.by_name.insert(name.into(), Arc::new(build));
    }

    /// The check that a plan names. The parameters of `all` and `any` are a list of named checks, that of `not` is one.
    ///
    /// # Errors
    /// [`CheckError`], before anything is looked at.
    pub fn build(&self, named: &Named) -> Result<Arc<dyn HealthCheck>, CheckError> {
        let wrong = |source| CheckError::Parameters { name: named.name.clone(), params: named.params.clone(), source };
        let several = || -> Result<Vec<_>, CheckError> {
            let list = serde_json::from_value::<Vec<Named>>(named.params.clone()).map_err(wrong)?;
            list.iter().map(|one| self.build(one)).collect()
        };
        Ok(match named.name.as_str() {
            "all" => Arc::new(All(several()?)),
            "any" => Arc::new(Any(several()?)),
            "not" => Arc::new(Not(self.build(&serde_json::from_value(named.params.clone()).map_err(wrong)?)?)),
            name => match self.by_name.get(name) {
                Some(build) => build(&named.params).map_err(wrong)?,
                None => {
                    let known: Vec<_> = self.by_name.keys().map(String::as_str).chain(["all", "any", "not"]).collect();
                    return Err(CheckError::Unknown { name: name.into(), known: known.join(", ") });
                }
            },
        })
    }
}
