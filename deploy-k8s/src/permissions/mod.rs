//! What a deployment must be allowed to do, as data in one place: printed as a Role, and asked for before anything changes.

mod needs;
mod review;
mod role;
mod rule;
mod rules;
#[cfg(test)]
mod tests;

pub use needs::Permissions;
pub use review::PermissionError;
pub use role::Roles;
