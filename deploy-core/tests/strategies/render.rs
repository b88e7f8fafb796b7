use deploy_core::{
    model::{Expect, Fact, Undo},
    strategy::{PlanInput, Strategy},
};
use std::fmt::Write;

/// A plan as lines: a step, what it waits for, what it expects, and how it is undone.
pub(crate) fn plan_text(strategy: &dyn Strategy, input: &PlanInput) -> String {
    let plan = strategy.plan(input).unwrap();
    let mut text = String::new();
    for step in &plan.steps {
        let after: Vec<_> = step.after.iter().map(|id| id.as_str()).collect();
        let after = if after.is_empty() { String::new() } else { format!(" (after {})", after.join(", ")) };
        writeln!(text, "{}: {}{after}, within {}", step.id, step.op, step.deadline).unwrap();
        let Expect { ready, done } = &step.expect;
        for (word, facts) in [("expects", ready), ("done when", done)] {
            if !facts.is_empty() {
                let facts: Vec<_> = facts.iter().map(Fact::to_string).collect();
                writeln!(text, "    {word} {}", facts.join(" and ")).unwrap();
            }
        }
        if let Undo::Do { ops } = &step.undo {
            let ops: Vec<_> = ops.iter().map(ToString::to_string).collect();
            writeln!(text, "    back: {}", ops.join("; ")).unwrap();
        }
    }
    for guard in &plan.guards {
        writeln!(text, "guard {} from {} until {}", guard.id, guard.from, guard.until).unwrap();
    }
    text
}
