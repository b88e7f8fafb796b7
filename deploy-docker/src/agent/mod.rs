//! The agent that a deployer speaks through: started where it can be, and exchanged for another when it is gone.

mod keeper;
mod start;
mod using;

pub(crate) use keeper::Keeper;
pub(crate) use start::STATE;
pub(crate) use using::InUse;
