//! FORMAT TEXT: one line a node, its properties indented below it.

use super::{
    ExplainOptions,
    node::{Memory, Node, Property},
};

pub(super) fn print(root: &Node, options: &ExplainOptions) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(format!("{}{}", root.title, figures(root, options)));
    details(root, 2, options, &mut lines);
    lines
}

fn figures(node: &Node, options: &ExplainOptions) -> String {
    let mut text = String::new();
    if options.costs {
        let estimate = &node.estimate;
        text.push_str(&format!(
            "  (cost={:.2}..{:.2} rows={:.0} width={})",
            estimate.startup_cost,
            estimate.total_cost,
            estimate.rows.max(0.0),
            estimate.width
        ));
    }
    if options.analyze {
        text.push_str(&match &node.actual {
            None => " (never executed)".to_owned(),
            Some(actual) => {
                let loops = actual.loops.max(1) as f64;
                let rows = (actual.rows as f64 / loops).round();
                if options.timing {
                    let (startup, total) = (actual.startup_ms / loops, actual.total_ms / loops);
                    format!(" (actual time={startup:.3}..{total:.3} rows={rows:.0} loops={})", actual.loops)
                } else {
                    format!(" (actual rows={rows:.0} loops={})", actual.loops)
                }
            }
        });
    }
    text
}

fn used(memory: Memory) -> String {
    match memory {
        Memory::Sort { method, kilobytes } => format!("Sort Method: {method}  Memory: {kilobytes}kB"),
        Memory::Hash { buckets, kilobytes } => format!("Buckets: {buckets}  Batches: 1  Memory Usage: {kilobytes}kB"),
        Memory::Aggregate { kilobytes } => format!("Batches: 1  Memory Usage: {kilobytes}kB"),
        Memory::Storage { kilobytes } => format!("Storage: Memory  Maximum Storage: {kilobytes}kB"),
    }
}

/// What stands under a node, so many blanks from the left.
fn details(node: &Node, indent: usize, options: &ExplainOptions, lines: &mut Vec<String>) {
    let blanks = " ".repeat(indent);
    for (name, property) in &node.properties {
        let text = match property {
            Property::Text(text) => text.clone(),
            Property::List(items) => items.join(", "),
        };
        lines.push(format!("{blanks}{name}: {text}"));
    }
    lines.extend(node.memory.map(|memory| format!("{blanks}{}", used(memory))));
    for (label, child) in &node.children {
        let mut indent = indent;
        if let Some(label) = label {
            lines.push(format!("{blanks}{label}"));
            indent += 2;
        }
        lines.push(format!("{}->  {}{}", " ".repeat(indent), child.title, figures(child, options)));
        details(child, indent + 6, options, lines);
    }
}
