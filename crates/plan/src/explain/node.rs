//! PostgreSQL's plan nodes, made of our operators.

use std::cell::RefCell;

use catalog::{Relation, type_names::quote_identifier};
use expr::{
    ColumnId, Expr, SortKey,
    expression::{Subquery, SubqueryKind},
};

use super::{
    Actual, ExplainOptions, Explained,
    columns::{Column, Columns},
};
use crate::{
    deparse::{self, Style, Vocabulary},
    logical::{JoinKind, SetOperator},
    physical::{Estimate, HashJoin, Operator, PhysicalPlan},
    statement::Query,
};

/// A node as EXPLAIN shows it.
pub(super) struct Node {
    /// "Hash Left Join": the first line in text.
    pub(super) title: String,
    /// "Hash Join": JSON's "Node Type", and what JSON says besides.
    pub(super) node_type: String,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) estimate: Estimate,
    pub(super) actual: Option<Actual>,
    /// "Filter" and the like, in order.
    pub(super) properties: Vec<(&'static str, Property)>,
    /// What it held in memory when it ran.
    pub(super) memory: Option<Memory>,
    /// A line before the node ("InitPlan 1 (returns $0)", "CTE x") and the node.
    pub(super) children: Vec<(Option<String>, Node)>,
}

/// Memory of a node, in kilobytes.
#[derive(Clone, Copy)]
pub(super) enum Memory {
    Sort {
        method: &'static str,
        kilobytes: usize,
    },
    Hash {
        buckets: usize,
        kilobytes: usize,
    },
    Aggregate {
        kilobytes: usize,
    },
    /// Of any other node that keeps rows, in the words of PostgreSQL 18.
    Storage {
        kilobytes: usize,
    },
}

impl Memory {
    fn of(actual: Option<Actual>, make: impl FnOnce(Actual, usize) -> Memory) -> Option<Memory> {
        actual.map(|actual| make(actual, actual.held_bytes.div_ceil(1024)))
    }
}

pub(super) enum Property {
    Text(String),
    List(Vec<String>),
}

struct Builder<'a> {
    query: &'a Query<PhysicalPlan>,
    options: &'a ExplainOptions,
    explained: &'a Explained<'a>,
    columns: Columns<'a>,
    /// Subplans met and numbered so far.
    subplans: RefCell<Vec<usize>>,
}

pub(super) fn build(query: &Query<PhysicalPlan>, options: &ExplainOptions, explained: &Explained<'_>) -> Node {
    let builder = Builder { query, options, explained, columns: Columns::of(query), subplans: RefCell::new(Vec::new()) };
    let ctes: Vec<(Option<String>, Node)> =
        query.ctes.iter().map(|cte| (Some(format!("CTE {}", cte.name)), builder.node(&cte.plan))).collect();
    let mut root = builder.node(&query.root);
    root.children.splice(0..0, ctes);
    root
}

impl<'a> Builder<'a> {
    fn print(&self, expression: &Expr) -> String {
        let (names, format) = (self.explained.names, self.explained.format);
        self.with_vocabulary(|words| deparse::expression(expression, names, format, Style::PLAIN, words))
    }

    fn with_vocabulary<T>(&self, print: impl FnOnce(&Vocabulary<'_>) -> T) -> T {
        let column = |id: ColumnId| self.column(id);
        let subquery = |subquery: &Subquery| self.subquery(subquery);
        print(&Vocabulary { column: &column, subquery: &subquery, meanings: None })
    }

    fn column(&self, id: ColumnId) -> String {
        match self.columns.get(id) {
            Some(Column::Attribute(relation, name)) if self.columns.qualified => {
                format!(
                    "{}.{}",
                    if relation.starts_with('"') { relation.into() } else { quote_identifier(relation) },
                    quote_identifier(name)
                )
            }
            Some(Column::Attribute(_, name)) => quote_identifier(name).into_owned(),
            Some(Column::Expression(expression)) => self.print(expression),
            Some(Column::Call(call, window)) => {
                let arguments: Vec<String> = call.arguments.iter().map(|argument| self.print(argument)).collect();
                let arguments =
                    if arguments.is_empty() && call.function.name == "count" { "*".into() } else { arguments.join(", ") };
                let distinct = if call.distinct { "DISTINCT " } else { "" };
                let over = if *window { " OVER (?)" } else { "" };
                let filter =
                    call.filter.as_ref().map_or(String::new(), |filter| format!(" FILTER (WHERE {})", self.print(filter)));
                format!("{}({distinct}{arguments}){filter}{over}", call.function.name)
            }
            Some(Column::SetCall(call)) => {
                let arguments: Vec<String> = call.arguments.iter().map(|argument| self.print(argument)).collect();
                format!("{}({})", call.function.name, arguments.join(", "))
            }
            None => format!("column{}", id.0),
        }
    }

    /// A subquery's name, which it gets when it is first mentioned.
    fn subquery(&self, subquery: &Subquery) -> String {
        let plan = subquery.plan.0 as usize;
        let mut met = self.subplans.borrow_mut();
        let number = match met.iter().position(|known| *known == plan) {
            Some(at) => at,
            None => {
                met.push(plan);
                met.len() - 1
            }
        };
        if is_initial(subquery) { format!("${number}") } else { format!("SubPlan {}", number + 1) }
    }

    fn node(&self, plan: &'a PhysicalPlan) -> Node {
        let mut node = self.operator(plan);
        node.actual = (self.explained.actual)(plan).or(node.actual);
        let shown_below = matches!(plan.operator, Operator::HashJoin(_));
        if node.memory.is_none() && !shown_below {
            let holds = (self.explained.actual)(plan).filter(|actual| actual.held_bytes > 0);
            node.memory = Memory::of(holds, |_, kilobytes| Memory::Storage { kilobytes });
        }
        // Subqueries are shown under the node whose expressions mention them.
        let mut subqueries = Vec::new();
        plan.for_each_expression(&mut |expression| note_subqueries(expression, &mut subqueries));
        for (at, subquery) in subqueries.into_iter().enumerate() {
            let name = self.subquery(subquery);
            let Some(subplan) = self.query.subplans.get(subquery.plan.0 as usize) else { continue };
            let title = match name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok()) {
                Some(number) => format!("InitPlan {} (returns ${number})", number + 1),
                None => name,
            };
            node.children.insert(at, (Some(title), self.node(&subplan.plan)));
        }
        node
    }

    fn made(&self, plan: &PhysicalPlan, title: impl Into<String>) -> Node {
        let title = title.into();
        Node {
            node_type: title.clone(),
            title,
            facts: Vec::new(),
            estimate: plan.estimate,
            actual: None,
            properties: Vec::new(),
            memory: None,
            children: Vec::new(),
        }
    }

    fn scan(&self, plan: &PhysicalPlan, kind: &str, relation: &Relation, alias: &str) -> Node {
        let mut node = self.made(plan, format!("{kind} on {}", self.relation_and_alias(relation, alias)));
        node.node_type = kind.to_owned();
        node.facts = vec![("Relation Name", relation.name.to_string()), ("Alias", alias.to_owned())];
        node
    }

    fn relation_and_alias(&self, relation: &Relation, alias: &str) -> String {
        let mut name = quote_identifier(&relation.name).into_owned();
        if self.options.verbose
            && let Some(schema) = self.explained.names.schema_name(relation.schema)
        {
            name = format!("{}.{name}", quote_identifier(&schema));
        }
        if *alias == *relation.name { name } else { format!("{name} {}", quote_identifier(alias)) }
    }

    fn text(&self, node: &mut Node, name: &'static str, expression: Option<&Expr>) {
        if let Some(expression) = expression {
            let text = self.print(expression);
            // A bare column or call gets parentheses only where PostgreSQL's printer gives them.
            node.properties.push((name, Property::Text(text)));
        }
    }

    fn child(&self, node: &mut Node, plan: &'a PhysicalPlan) {
        node.children.push((None, self.node(plan)));
    }

    fn above(&self, plan: &'a PhysicalPlan, title: &str, input: &'a PhysicalPlan) -> Node {
        let mut node = self.made(plan, title);
        self.child(&mut node, input);
        node
    }

    /// A scan of what is not a relation of the user's, shown by its name, and its alias where that is another.
    fn named_scan(&self, plan: &PhysicalPlan, kind: &str, fact: &'static str, name: &str, alias: &str) -> Node {
        let quoted = quote_identifier(name);
        let shown = if alias == name { quoted.into_owned() } else { format!("{quoted} {}", quote_identifier(alias)) };
        let mut node = self.made(plan, format!("{kind} on {shown}"));
        node.node_type = kind.to_owned();
        node.facts = vec![(fact, name.to_owned()), ("Alias", alias.to_owned())];
        node
    }

    fn hash_join(&self, plan: &'a PhysicalPlan, join: &'a HashJoin) -> Node {
        let mut node = self.join(plan, "Hash Join", join.kind);
        let keys: Vec<String> =
            join.keys.iter().map(|(left, right)| format!("({} = {})", self.print(left), self.print(right))).collect();
        let text = if keys.len() == 1 { keys.concat() } else { format!("({})", keys.join(" AND ")) };
        node.properties.push(("Hash Cond", Property::Text(text)));
        self.text(&mut node, "Join Filter", join.residual.as_ref());
        self.child(&mut node, &join.left);
        let mut hash = self.made(&join.right, "Hash");
        hash.actual = (self.explained.actual)(&join.right);
        hash.memory = Memory::of((self.explained.actual)(plan), |actual, kilobytes| Memory::Hash {
            buckets: actual.held_rows.next_power_of_two().max(1024),
            kilobytes,
        });
        self.child(&mut hash, &join.right);
        node.children.push((None, hash));
        node
    }

    fn above_both(&self, plan: &'a PhysicalPlan, title: &str, left: &'a PhysicalPlan, right: &'a PhysicalPlan) -> Node {
        let mut node = self.above(plan, title, left);
        self.child(&mut node, right);
        node
    }

    fn distinct(&self, plan: &'a PhysicalPlan, input: &'a PhysicalPlan) -> Node {
        let mut node = self.above(plan, "HashAggregate", input);
        node.node_type = "Aggregate".to_owned();
        node.facts = vec![("Strategy", "Hashed".to_owned())];
        let keys = input.columns.iter().map(|column| self.grouping_key(column.id)).collect();
        node.properties.push(("Group Key", Property::List(keys)));
        node.memory = self.hashed(plan);
        node
    }

    fn hashed(&self, plan: &PhysicalPlan) -> Option<Memory> {
        Memory::of((self.explained.actual)(plan), |_, kilobytes| Memory::Aggregate { kilobytes })
    }

    fn operator(&self, plan: &'a PhysicalPlan) -> Node {
        match &plan.operator {
            Operator::TableScan(scan) => {
                let mut node = self.scan(plan, "Seq Scan", &scan.relation, &scan.alias);
                self.text(&mut node, "Filter", scan.filter.as_ref());
                node
            }
            Operator::IndexScan(scan) => self.index_scan(plan, scan),
            Operator::SystemScan { relation, alias, filter, .. } => {
                let mut node = self.named_scan(plan, "Seq Scan", "Relation Name", relation.name, alias);
                self.text(&mut node, "Filter", filter.as_ref());
                node
            }
            Operator::Values { rows } => self.values(plan, rows.len()),
            Operator::FunctionScan(scan) => {
                let name = match scan.calls.first() {
                    Some((crate::logical::FunctionSource::Set(call), _)) => call.function.name.to_owned(),
                    _ => scan.alias.to_string(),
                };
                self.named_scan(plan, "Function Scan", "Function Name", &name, &scan.alias)
            }
            Operator::CteScan { name, .. } => self.named_scan(plan, "CTE Scan", "CTE Name", name, name),
            Operator::WorkTable { cte } => {
                let name = self.query.ctes.get(cte.0 as usize).map_or("", |cte| &cte.name);
                let mut node = self.made(plan, format!("WorkTable Scan on {}", quote_identifier(name)));
                node.node_type = "WorkTable Scan".to_owned();
                node
            }
            // PostgreSQL has no nodes for these: the node below does it.
            Operator::Filter { input, predicate } => {
                let mut node = self.node(input);
                node.estimate = plan.estimate;
                self.text(&mut node, "Filter", Some(predicate));
                node
            }
            Operator::Project { input, .. } => self.node(input),
            Operator::ProjectSet { input, .. } => self.above(plan, "ProjectSet", input),
            Operator::NestedLoopJoin { kind, left, right, condition, .. } => {
                let mut node = self.join(plan, "Nested Loop", *kind);
                self.text(&mut node, "Join Filter", condition.as_ref());
                self.child(&mut node, left);
                self.child(&mut node, right);
                node
            }
            Operator::HashJoin(join) => self.hash_join(plan, join),
            Operator::HashAggregate { input, aggregate } => self.aggregate(plan, input, aggregate),
            Operator::Window { input, .. } => self.above(plan, "WindowAgg", input),
            Operator::Sort { input, keys } => self.sort(plan, input, keys),
            Operator::Distinct { input, on: None } => self.distinct(plan, input),
            Operator::Distinct { input, on: Some(_) } => self.above(plan, "Unique", input),
            Operator::Limit { input, .. } => self.above(plan, "Limit", input),
            Operator::Append { inputs } => {
                let mut node = self.made(plan, "Append");
                inputs.iter().for_each(|(input, _)| self.child(&mut node, input));
                node
            }
            Operator::HashSetOperation { operator, all, left, right, .. } => {
                let command = if *operator == SetOperator::Intersect { "Intersect" } else { "Except" };
                let title = format!("HashSetOp {command}{}", if *all { " All" } else { "" });
                Node { node_type: "SetOp".to_owned(), ..self.above_both(plan, &title, left, right) }
            }
            Operator::RecursiveUnion { initial, recursive, .. } => self.above_both(plan, "Recursive Union", initial, recursive),
            Operator::LockRows { input, .. } => self.above(plan, "LockRows", input),
            Operator::Insert(insert) => self.insert(plan, insert),
            Operator::Update(update) => self.modification(plan, "Update", &update.relation, &update.source),
            Operator::Delete(delete) => self.modification(plan, "Delete", &delete.relation, &delete.source),
        }
    }

    fn sort(&self, plan: &'a PhysicalPlan, input: &'a PhysicalPlan, keys: &[expr::SortKey]) -> Node {
        let mut node = self.above(plan, "Sort", input);
        let keys = keys.iter().map(|key| self.sort_key(key)).collect();
        node.properties.push(("Sort Key", Property::List(keys)));
        node.memory = Memory::of((self.explained.actual)(plan), |actual, kilobytes| Memory::Sort {
            method: if actual.bounded { "top-N heapsort" } else { "quicksort" },
            kilobytes,
        });
        node
    }

    fn insert(&self, plan: &'a PhysicalPlan, insert: &'a crate::physical::Insert) -> Node {
        let mut node = self.modification(plan, "Insert", &insert.relation, &insert.source);
        if let Some((arbiters, action)) = &insert.on_conflict {
            let resolution = if matches!(action, crate::logical::ConflictAction::Nothing) { "NOTHING" } else { "UPDATE" };
            node.properties.push(("Conflict Resolution", Property::Text(resolution.to_owned())));
            let names: Vec<String> =
                arbiters.iter().filter_map(|oid| Some(self.explained.names.relation(*oid)?.name().to_owned())).collect();
            if !names.is_empty() {
                node.properties.push(("Conflict Arbiter Indexes", Property::List(names)));
            }
        }
        node
    }

    fn index_scan(&self, plan: &PhysicalPlan, scan: &crate::physical::IndexScan) -> Node {
        let index = self.explained.names.relation(scan.index).map_or_else(String::new, |index| index.name().to_owned());
        let backward = if scan.reverse { " Backward" } else { "" };
        let relation = self.relation_and_alias(&scan.relation, &scan.alias);
        let mut node = self.made(plan, format!("Index Scan{backward} using {} on {relation}", quote_identifier(&index)));
        node.node_type = "Index Scan".to_owned();
        node.facts = vec![
            ("Scan Direction", if scan.reverse { "Backward" } else { "Forward" }.to_owned()),
            ("Index Name", index),
            ("Relation Name", scan.relation.name.to_string()),
            ("Alias", scan.alias.to_string()),
        ];
        self.text(&mut node, "Index Cond", scan.condition.as_ref());
        self.text(&mut node, "Filter", scan.filter.as_ref());
        node
    }

    fn values(&self, plan: &PhysicalPlan, rows: usize) -> Node {
        if rows == 0 {
            let mut node = self.made(plan, "Result");
            node.properties.push(("One-Time Filter", Property::Text("false".to_owned())));
            return node;
        }
        if plan.columns.is_empty() || rows == 1 {
            return self.made(plan, "Result");
        }
        let mut node = self.made(plan, "Values Scan on \"*VALUES*\"");
        node.node_type = "Values Scan".to_owned();
        node.facts = vec![("Alias", "*VALUES*".to_owned())];
        node
    }

    fn join(&self, plan: &PhysicalPlan, method: &str, kind: JoinKind) -> Node {
        let (word, shown) = match kind {
            JoinKind::Inner => ("Inner", ""),
            JoinKind::Left => ("Left", " Left"),
            JoinKind::Right => ("Right", " Right"),
            JoinKind::Full => ("Full", " Full"),
            JoinKind::Semi => ("Semi", " Semi"),
            JoinKind::Anti => ("Anti", " Anti"),
        };
        let title = match (method, shown) {
            (method, "") => method.to_owned(),
            ("Hash Join", shown) => format!("Hash{shown} Join"),
            (method, shown) => format!("{method}{shown} Join"),
        };
        let mut node = self.made(plan, title);
        node.node_type = method.to_owned();
        node.facts = vec![("Join Type", word.to_owned())];
        node
    }

    fn aggregate(&self, plan: &PhysicalPlan, input: &'a PhysicalPlan, aggregate: &crate::physical::AggregateSpec) -> Node {
        let plain = aggregate.group_by.is_empty();
        let mut node = self.above(plan, if plain { "Aggregate" } else { "HashAggregate" }, input);
        node.node_type = "Aggregate".to_owned();
        node.facts = vec![("Strategy", if plain { "Plain" } else { "Hashed" }.to_owned())];
        let key = |at: usize| self.grouping_expression(&aggregate.group_by[at].expression);
        match &aggregate.sets {
            None if !plain => {
                let keys = (0..aggregate.group_by.len()).map(key).collect();
                node.properties.push(("Group Key", Property::List(keys)));
            }
            None => {}
            Some(sets) => {
                for set in sets {
                    let keys: Vec<String> = set.iter().map(|at| key(*at)).collect();
                    let (name, keys) = if keys.is_empty() { ("Group Key", vec!["()".to_owned()]) } else { ("Hash Key", keys) };
                    node.properties.push((name, Property::List(keys)));
                }
            }
        }
        if !plain {
            node.memory = self.hashed(plan);
        }
        node
    }

    fn sort_key(&self, key: &SortKey) -> String {
        let (names, format) = (self.explained.names, self.explained.format);
        let text = self.with_vocabulary(|words| deparse::sort_key(key, names, format, words));
        // A computed column stands in parentheses of its own.
        match &key.expression {
            Expr::Column { id, .. } if !matches!(self.columns.get(*id), None | Some(Column::Attribute(..))) => {
                let plain = self.column(*id);
                text.replacen(&plain, &format!("({plain})"), 1)
            }
            _ => text,
        }
    }

    fn grouping_key(&self, id: ColumnId) -> String {
        match self.columns.get(id) {
            Some(Column::Expression(expression)) => self.grouping_expression(expression),
            Some(Column::Call(..) | Column::SetCall(_)) => format!("({})", self.column(id)),
            _ => self.column(id),
        }
    }

    /// Keys that are no plain columns stand in parentheses.
    fn grouping_expression(&self, expression: &Expr) -> String {
        let text = self.print(expression);
        if matches!(expression, Expr::Column { .. }) || text.starts_with('(') { text } else { format!("({text})") }
    }

    fn modification(&self, plan: &PhysicalPlan, command: &str, relation: &Relation, source: &'a PhysicalPlan) -> Node {
        let mut node = self.made(plan, format!("{command} on {}", self.relation_and_alias(relation, &relation.name)));
        node.node_type = "ModifyTable".to_owned();
        node.facts = vec![
            ("Operation", command.to_owned()),
            ("Relation Name", relation.name.to_string()),
            ("Alias", relation.name.to_string()),
        ];
        self.child(&mut node, source);
        node
    }
}

/// Run once, before the rest: an uncorrelated scalar or EXISTS.
fn is_initial(subquery: &Subquery) -> bool {
    subquery.outer.is_empty() && !matches!(subquery.kind, SubqueryKind::Compare { .. })
}

fn note_subqueries<'e>(expression: &'e Expr, found: &mut Vec<&'e Subquery>) {
    if let Expr::Subquery(subquery) = expression {
        found.push(subquery);
    }
    expression.for_each_child(&mut |child| note_subqueries(child, found));
}
