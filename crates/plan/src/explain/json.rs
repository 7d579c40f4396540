//! FORMAT JSON: PostgreSQL's keys, in its order.

use std::fmt::Write;

use super::{
    ExplainOptions,
    node::{Memory, Node, Property},
};

pub(super) fn print(root: &Node, options: &ExplainOptions, planning: Option<f64>, execution: Option<f64>) -> Vec<String> {
    let mut out = String::from("[\n  {\n    \"Plan\": ");
    node(root, None, 4, options, &mut out);
    for (name, time) in [("Planning Time", planning), ("Execution Time", execution)] {
        if let Some(time) = time {
            let _ = write!(out, ",\n    \"{name}\": {time:.3}");
        }
    }
    out.push_str("\n  }\n]");
    out.lines().map(str::to_owned).collect()
}

fn node(node_: &Node, relationship: Option<&str>, indent: usize, options: &ExplainOptions, out: &mut String) {
    let blanks = " ".repeat(indent + 2);
    out.push_str("{\n");
    let mut first = true;
    let mut member = |name: &str, value: String, out: &mut String| {
        if !std::mem::replace(&mut first, false) {
            out.push_str(",\n");
        }
        let _ = write!(out, "{blanks}{}: {value}", quoted(name));
    };
    member("Node Type", quoted(&node_.node_type), out);
    if let Some(relationship) = relationship {
        member("Parent Relationship", quoted(relationship), out);
    }
    member("Parallel Aware", "false".to_owned(), out);
    member("Async Capable", "false".to_owned(), out);
    for (name, value) in &node_.facts {
        member(name, quoted(value), out);
    }
    if options.costs {
        let estimate = &node_.estimate;
        member("Startup Cost", format!("{:.2}", estimate.startup_cost), out);
        member("Total Cost", format!("{:.2}", estimate.total_cost), out);
        member("Plan Rows", format!("{:.0}", estimate.rows), out);
        member("Plan Width", estimate.width.to_string(), out);
    }
    if options.analyze {
        let actual = node_.actual.unwrap_or_default();
        let loops = actual.loops.max(1) as f64;
        if options.timing {
            member("Actual Startup Time", format!("{:.3}", actual.startup_ms / loops), out);
            member("Actual Total Time", format!("{:.3}", actual.total_ms / loops), out);
        }
        member("Actual Rows", format!("{:.0}", (actual.rows as f64 / loops).round()), out);
        member("Actual Loops", actual.loops.to_string(), out);
    }
    for (name, property) in &node_.properties {
        member(name, value(property), out);
    }
    for (name, value) in memory(node_.memory.as_ref()) {
        member(name, value, out);
    }
    if !node_.children.is_empty() {
        member("Plans", children(&node_.children, indent + 4, options), out);
    }
    let _ = write!(out, "\n{}}}", " ".repeat(indent));
}

/// What a node held, by the names that PostgreSQL gives its kind.
fn memory(memory: Option<&Memory>) -> Vec<(&'static str, String)> {
    match memory {
        Some(Memory::Sort { method, kilobytes }) => vec![
            ("Sort Method", quoted(method)),
            ("Sort Space Used", kilobytes.to_string()),
            ("Sort Space Type", quoted("Memory")),
        ],
        Some(Memory::Hash { buckets, kilobytes }) => vec![
            ("Hash Buckets", buckets.to_string()),
            ("Original Hash Buckets", buckets.to_string()),
            ("Hash Batches", "1".to_owned()),
            ("Original Hash Batches", "1".to_owned()),
            ("Peak Memory Usage", kilobytes.to_string()),
        ],
        Some(Memory::Aggregate { kilobytes }) => {
            vec![("HashAgg Batches", "1".to_owned()), ("Peak Memory Usage", kilobytes.to_string())]
        }
        Some(Memory::Storage { kilobytes }) => {
            vec![("Storage", quoted("Memory")), ("Maximum Storage", kilobytes.to_string())]
        }
        None => Vec::new(),
    }
}

/// The nodes below as a list, each at this indentation.
fn children(nodes: &[(Option<String>, Node)], indent: usize, options: &ExplainOptions) -> String {
    let mut list = String::from("[\n");
    for (at, (label, child)) in nodes.iter().enumerate() {
        if at > 0 {
            list.push_str(",\n");
        }
        let relationship = match label {
            Some(label) if label.starts_with("SubPlan") => "SubPlan",
            Some(_) => "InitPlan",
            None if at == 0 => "Outer",
            None => "Inner",
        };
        list.push_str(&" ".repeat(indent));
        node(child, Some(relationship), indent, options, &mut list);
    }
    let _ = write!(list, "\n{}]", " ".repeat(indent - 2));
    list
}

fn value(property: &Property) -> String {
    match property {
        Property::Text(text) => quoted(text),
        Property::List(items) => format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", ")),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            control if (control as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", control as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
