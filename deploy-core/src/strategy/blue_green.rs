use super::{PlanInput, Strategy, builder, rolling::roll};
use crate::model::{Order, Plan, PlanError};

/// *Blue-green*: all of the new beside all of the old, smoke checks on the new, the switch, a bake, and only then the end
/// of the old. A service that must not run twice at once is rolled stop-first instead.
#[derive(Clone, Copy, Debug)]
pub struct BlueGreen;

impl Strategy for BlueGreen {
    fn name(&self) -> &str {
        "blue-green"
    }

    fn plan(&self, input: &PlanInput) -> Result<Plan, PlanError> {
        builder::plan(self.name(), input, |line| {
            let count = line.situation.count();
            let is_special = line.situation.enters_router() || line.situation.new_asked > count;
            if line.situation.spec.order == Order::StopFirst || is_special {
                return roll(line, line.situation.spec.order, count);
            }
            line.start(line.situation.new_asked, count);
            line.check();
            line.route(line.situation.all_to_new());
            line.bake();
            for old in 0..line.situation.olds.len() {
                let (workload, asked) = (line.situation.olds[old].workload.clone(), line.situation.olds[old].asked);
                if line.situation.may_have_requests(old) {
                    line.drain(&workload);
                }
                line.end(old, asked);
                line.halt_on_failure();
            }
        })
    }
}
