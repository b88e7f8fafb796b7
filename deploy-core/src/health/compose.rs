use super::{Health, HealthCheck};
use crate::{model::Instance, prober::Prober};
use async_trait::async_trait;
use futures_util::future::join_all;
use std::sync::Arc;

/// `all`: every one is healthy.
pub struct All(pub Vec<Arc<dyn HealthCheck>>);

/// `any`: at least one is healthy.
pub struct Any(pub Vec<Arc<dyn HealthCheck>>);

/// `not`: it isn't healthy. What can't be told stays so.
pub struct Not(pub Arc<dyn HealthCheck>);

async fn looks(checks: &[Arc<dyn HealthCheck>], instance: &Instance, ask: &dyn Prober) -> Vec<Health> {
    join_all(checks.iter().map(|check| check.check(instance, ask))).await
}

/// How much a look matters when all must be healthy.
fn gravity(health: &Health) -> u8 {
    match health {
        Health::Healthy => 0,
        Health::Waiting(_) => 1,
        Health::CannotTell(_) => 2,
        Health::Unhealthy(_) => 3,
    }
}

#[async_trait]
impl HealthCheck for All {
    async fn check(&self, instance: &Instance, ask: &dyn Prober) -> Health {
        looks(&self.0, instance, ask).await.into_iter().max_by_key(gravity).unwrap_or(Health::Healthy)
    }
}

#[async_trait]
impl HealthCheck for Any {
    async fn check(&self, instance: &Instance, ask: &dyn Prober) -> Health {
        let none = || Health::Unhealthy("there is no check to pass".into());
        looks(&self.0, instance, ask).await.into_iter().min_by_key(gravity).unwrap_or_else(none)
    }
}

#[async_trait]
impl HealthCheck for Not {
    async fn check(&self, instance: &Instance, ask: &dyn Prober) -> Health {
        match self.0.check(instance, ask).await {
            Health::Healthy => Health::Waiting("it still is what it should not be".into()),
            Health::Waiting(_) | Health::Unhealthy(_) => Health::Healthy,
            cannot_tell @ Health::CannotTell(_) => cannot_tell,
        }
    }
}
