use super::{Object, ObjectRef, ReleaseId, RouterId, ServiceName, Shares, WorkloadRef, World};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that is true or false of what was asked for (spec), never of what has come true (status): that is what checks are for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// Between so many and so many instances are asked for; kept ones don't count.
    Asked {
        /// Of which set.
        workload: WorkloadRef,
        /// At least.
        min: u32,
        /// At most.
        max: u32,
    },
    /// Requests go to exactly these.
    Routed {
        /// By which router.
        router: RouterId,
        /// Whose requests.
        service: ServiceName,
        /// To whom.
        shares: Shares,
    },
    /// The release's payload lies in the target's store.
    Stored {
        /// Which release.
        release: ReleaseId,
    },
    /// The object is there, as described.
    Applied {
        /// The object and its definition.
        object: Object,
    },
    /// The object isn't there.
    Missing {
        /// Which one.
        object: ObjectRef,
    },
}

impl Fact {
    /// Exactly so many instances.
    pub fn asked(workload: &WorkloadRef, count: u32) -> Self {
        Self::Asked { workload: workload.clone(), min: count, max: count }
    }

    /// Any number of instances from none to so many: a step that may have been interrupted halfway.
    pub fn up_to(workload: &WorkloadRef, count: u32) -> Self {
        Self::Asked { workload: workload.clone(), min: 0, max: count }
    }

    /// No instance.
    pub fn absent(workload: &WorkloadRef) -> Self {
        Self::asked(workload, 0)
    }

    /// Whether it is true of this world.
    pub fn holds(&self, world: &World) -> bool {
        match self {
            Self::Asked { workload, min, max } => (*min..=*max).contains(&world.asked(workload)),
            Self::Routed { router, service, shares } => world.shares(router, service) == *shares,
            Self::Stored { release } => world.stored.contains(release),
            Self::Applied { object } => world.objects.iter().any(|there| there == object),
            Self::Missing { object } => world.objects.iter().all(|there| there.object != *object),
        }
    }

    /// What this world has in the fact's place.
    pub fn found(&self, world: &World) -> String {
        match self {
            Self::Asked { workload, .. } => format!("{} of {}", world.asked(workload), workload.release),
            Self::Routed { router, service, .. } => {
                format!("requests for {service} sent: {}", world.shares(router, service))
            }
            Self::Stored { release } => match world.stored.contains(release) {
                true => format!("the configuration of {release}"),
                false => format!("no configuration of {release}"),
            },
            Self::Applied { object: Object { object, .. } } | Self::Missing { object } => {
                match world.objects.iter().find(|there| there.object == *object) {
                    Some(there) => format!("{object} as {}", there.spec),
                    None => format!("no {object}"),
                }
            }
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked { workload, min, max } if min == max => write!(f, "{min} of {}", workload.release),
            Self::Asked { workload, min, max } => write!(f, "{min} to {max} of {}", workload.release),
            Self::Routed { service, shares, .. } => write!(f, "requests for {service} sent: {shares}"),
            Self::Stored { release } => write!(f, "the configuration of {release}"),
            Self::Applied { object } => write!(f, "{} as {}", object.object, object.spec),
            Self::Missing { object } => write!(f, "no {object}"),
        }
    }
}

/// What a step expects of the world before it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Expect {
    /// All true: the step may run. None: it may run in any world.
    pub ready: Vec<Fact>,
    /// All true, and there are some: the step's effect is there already.
    pub done: Vec<Fact>,
}

/// How a world stands to a step's expectations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The effect is there already.
    Done,
    /// The step may run.
    Ready,
    /// Neither: somebody else changed the world.
    Conflict {
        /// What should have been true.
        expected: String,
        /// What is there instead.
        found: String,
    },
}

impl Expect {
    /// Compares with a world. `Done` wins over `Ready`.
    pub fn standing(&self, world: &World) -> Standing {
        if !self.done.is_empty() && self.done.iter().all(|fact| fact.holds(world)) {
            return Standing::Done;
        }
        match self.ready.iter().find(|fact| !fact.holds(world)) {
            None => Standing::Ready,
            Some(fact) => Standing::Conflict { expected: fact.to_string(), found: fact.found(world) },
        }
    }
}
