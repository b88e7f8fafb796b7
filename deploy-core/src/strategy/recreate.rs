use super::{PlanInput, Strategy, builder, rolling::roll};
use crate::model::{Order, Plan, PlanError};

/// *Recreate*: all of the old ends before the new starts. Requests in between are refused.
#[derive(Clone, Copy, Debug)]
pub struct Recreate;

impl Strategy for Recreate {
    fn name(&self) -> &str {
        "recreate"
    }

    fn plan(&self, input: &PlanInput) -> Result<Plan, PlanError> {
        builder::plan(self.name(), input, |line| {
            let count = line.situation.count();
            roll(line, Order::StopFirst, count);
        })
    }
}
