//! Queries: SELECT with its clauses, VALUES, WITH, set operations (get_query_def).

use expr::Expr;

use super::{INDENT, INDENT_FIELD, Printer, Scope, names::LevelNames};
use crate::{
    analysed::{
        AnalysedDistinct, AnalysedGrouping, AnalysedLock, AnalysedQuery, GroupItem, ItemSource, LevelId, Meaning, SetTree,
    },
    logical::{LockStrength, LockWaitPolicy, SetOperator},
};

impl<'p> Printer<'p> {
    /// A query inside another, or inside an expression. `visible`: its columns' names are seen by what is around it.
    pub(super) fn nested_query(&mut self, query: &'p AnalysedQuery, visible: bool) {
        self.query(query, None, visible);
    }

    /// `columns`: the names of the output when they are not the query's own.
    pub(super) fn query(&mut self, query: &'p AnalysedQuery, columns: Option<&[&str]>, visible: bool) {
        super::deeper(|| {
            let indent = self.indent;
            let windows = std::mem::replace(&mut self.windows, &query.windows);
            // A view's own query has PostgreSQL's OLD and NEW beside its relations.
            let reserved: &[&str] = if self.levels.is_empty() { &["old", "new"] } else { &[] };
            let names = LevelNames::choose(query, reserved, &self.levels, self.names);
            self.levels.push(names);
            let hidden = self.cte_names.len();
            self.cte_names.extend(query.ctes.iter().map(|cte| cte.name.clone()));
            self.with_clause(query);
            match &query.set_operations {
                Some(tree) => self.set_tree(tree, columns, visible),
                None => self.select(query, columns, visible),
            }
            self.order_by(query);
            self.limits(query);
            query.locks.iter().for_each(|lock| self.lock(query.level, lock));
            self.cte_names.truncate(hidden);
            self.levels.pop();
            self.windows = windows;
            self.indent = indent;
        });
    }

    fn with_clause(&mut self, query: &'p AnalysedQuery) {
        if query.ctes.is_empty() {
            return;
        }
        if self.style.indent {
            self.indent += INDENT;
            self.push(" ");
        }
        for (at, cte) in query.ctes.iter().enumerate() {
            self.push(match (at, query.recursive) {
                (0, false) => "WITH ",
                (0, true) => "WITH RECURSIVE ",
                _ => ", ",
            });
            self.push_identifier(&cte.name);
            if !cte.column_names.is_empty() {
                self.push("(");
                self.identifiers(cte.column_names.iter().map(|name| &**name));
                self.push(")");
            }
            self.push(match cte.materialized {
                None => " AS (",
                Some(true) => " AS MATERIALIZED (",
                Some(false) => " AS NOT MATERIALIZED (",
            });
            self.keyword("", 0, 0, 0);
            self.nested_query(&cte.query, true);
            self.keyword("", 0, 0, 0);
            self.push(")");
        }
        if self.style.indent {
            self.indent -= INDENT;
            self.keyword("", 0, 0, 0);
        } else {
            self.push(" ");
        }
    }

    pub(super) fn identifiers<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        for (at, name) in names.enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.push_identifier(name);
        }
    }

    fn set_tree(&mut self, tree: &'p SetTree, columns: Option<&[&str]>, visible: bool) {
        let (operator, all, left, right) = match tree {
            SetTree::Leaf(query) => {
                let brackets = !query.ctes.is_empty()
                    || !query.order_by.is_empty()
                    || !query.locks.is_empty()
                    || query.limit.is_some()
                    || query.offset.is_some();
                return self.bracketed(brackets, |printer| printer.query(query, columns, visible));
            }
            SetTree::Operation { operator, all, left, right } => (*operator, *all, left, right),
        };
        let same = |other: &SetTree| match other {
            SetTree::Operation { operator: own, all: own_all, .. } => *own == operator && *own_all == all,
            SetTree::Leaf(_) => true,
        };
        let brackets = !same(left);
        if brackets {
            self.push("(");
            self.keyword("", INDENT, 0, 0);
        }
        self.set_tree(left, columns, visible);
        match (brackets, self.style.indent) {
            (true, _) => self.keyword(") ", -INDENT, 0, 0),
            (false, true) => self.keyword("", 0, 0, 0),
            (false, false) => self.push(" "),
        }
        self.push(match operator {
            SetOperator::Union => "UNION ",
            SetOperator::Intersect => "INTERSECT ",
            SetOperator::Except => "EXCEPT ",
        });
        if all {
            self.push("ALL ");
        }
        let brackets = matches!(**right, SetTree::Operation { .. });
        if brackets {
            self.push("(");
        }
        let deeper = if brackets { INDENT } else { 0 };
        self.keyword("", deeper, 0, 0);
        self.set_tree(right, columns, false);
        if self.style.indent {
            self.indent -= deeper;
        }
        if brackets {
            self.keyword(")", 0, 0, 0);
        }
    }

    fn select(&mut self, query: &'p AnalysedQuery, columns: Option<&[&str]>, visible: bool) {
        if self.style.indent {
            self.indent += INDENT;
            self.push(" ");
        }
        if let Some(rows) = plain_values(query, columns) {
            return self.values(rows);
        }
        self.push("SELECT");
        match &query.distinct {
            AnalysedDistinct::None => {}
            AnalysedDistinct::All => self.push(" DISTINCT"),
            AnalysedDistinct::On(targets) => {
                self.push(" DISTINCT ON (");
                for (at, target) in targets.iter().enumerate() {
                    if at > 0 {
                        self.push(", ");
                    }
                    query.targets.get(*target).iter().for_each(|target| self.clause_item(&target.expression));
                }
                self.push(")");
            }
        }
        self.target_list(query, columns, visible);
        self.list_of_from(query);
        if let Some(filter) = &query.filter {
            self.keyword(" WHERE ", -INDENT, INDENT, 1);
            self.expression(filter, false);
        }
        self.group_by(&query.group_by);
        if let Some(having) = &query.having {
            self.keyword(" HAVING ", -INDENT, INDENT, 0);
            self.expression(having, false);
        }
        let mut named = query.windows.iter().filter_map(|window| window.name.as_ref().map(|name| (name, window))).peekable();
        if named.peek().is_some() {
            self.keyword(" WINDOW ", -INDENT, INDENT, 1);
        }
        for (at, (name, window)) in named.enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.push_identifier(name);
            self.push(" AS ");
            self.window(window);
        }
    }

    fn target_list(&mut self, query: &'p AnalysedQuery, columns: Option<&[&str]>, visible: bool) {
        let mut previous_had_lines = false;
        for (at, target) in query.targets.iter().filter(|target| !target.junk).enumerate() {
            self.push(if at == 0 { " " } else { ", " });
            let own_name = self.plain_name(&target.expression);
            let name = columns.and_then(|columns| columns.get(at).copied()).unwrap_or(&target.name);
            let shown = match &own_name {
                Some(Some(own)) => own != name,
                Some(None) => true,
                None => visible || name != "?column?",
            };
            let text = self.apart(|printer| {
                printer.field_value(&target.expression, true);
                if shown {
                    printer.push(" AS ");
                    printer.push_identifier(name);
                }
            });
            if self.wraps() {
                if text.starts_with('\n') {
                    self.trim_blanks();
                } else if at > 0 && (previous_had_lines || self.exceeds_line(text.len())) {
                    self.keyword("", -INDENT, INDENT, INDENT_FIELD);
                }
                previous_had_lines = text.trim_start_matches('\n').contains('\n');
            }
            self.push(&text);
        }
    }

    /// The name that a target has by itself: Some(None) for a whole row, None for what is no column.
    fn plain_name(&self, expression: &Expr) -> Option<Option<String>> {
        let (Scope::Query(analysed), Expr::Column { id, .. }) = (self.scope, expression) else { return None };
        match analysed.columns.get(id)? {
            Meaning::Item { level, item, column } => self.item_column_name(*level, *item, *column).map(Some),
            Meaning::System { name, .. } => Some(Some(name.to_string())),
            Meaning::WholeRow { .. } => Some(None),
            _ => None,
        }
    }

    fn group_by(&mut self, grouping: &'p AnalysedGrouping) {
        match grouping {
            AnalysedGrouping::Plain(expressions) => {
                for (at, expression) in expressions.iter().enumerate() {
                    match at {
                        0 => self.keyword(" GROUP BY ", -INDENT, INDENT, 1),
                        _ => self.push(", "),
                    }
                    self.clause_item(expression);
                }
            }
            AnalysedGrouping::Sets { distinct, items } => {
                self.keyword(" GROUP BY ", -INDENT, INDENT, 1);
                if *distinct {
                    self.push("DISTINCT ");
                }
                self.group_items(items, true);
            }
        }
    }

    fn group_items(&mut self, items: &[GroupItem], bare: bool) {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.group_item(item, bare);
        }
    }

    /// `bare`: one expression needs no parentheses.
    fn group_item(&mut self, item: &GroupItem, bare: bool) {
        let (word, items, bare) = match item {
            GroupItem::Empty => return self.push("()"),
            GroupItem::Simple(expressions) => {
                return self.bracketed(!bare || expressions.len() != 1, |printer| {
                    for (at, expression) in expressions.iter().enumerate() {
                        if at > 0 {
                            printer.push(", ");
                        }
                        printer.clause_item(expression);
                    }
                });
            }
            GroupItem::Rollup(items) => ("ROLLUP(", items, true),
            GroupItem::Cube(items) => ("CUBE(", items, true),
            GroupItem::Sets(items) => ("GROUPING SETS (", items, false),
        };
        self.push(word);
        self.group_items(items, bare);
        self.push(")");
    }

    fn order_by(&mut self, query: &'p AnalysedQuery) {
        for (at, key) in query.order_by.iter().enumerate() {
            match at {
                0 => self.keyword(" ORDER BY ", -INDENT, INDENT, 1),
                _ => self.push(", "),
            }
            // Set operations are ordered by their columns only.
            if query.set_operations.is_some() {
                self.push(&(key.target + 1).to_string());
            } else if let Some(target) = query.targets.get(key.target) {
                self.clause_item(&target.expression);
            }
            self.direction(key.descending, key.nulls_first);
        }
    }

    fn limits(&mut self, query: &'p AnalysedQuery) {
        if let Some(offset) = &query.offset {
            self.keyword(" OFFSET ", -INDENT, INDENT, 0);
            self.expression(offset, false);
        }
        let Some(limit) = &query.limit else { return };
        if query.with_ties {
            self.keyword(" FETCH FIRST ", -INDENT, INDENT, 0);
            self.bracketed(true, |printer| printer.expression(limit, false));
            return self.push(" ROWS WITH TIES");
        }
        self.keyword(" LIMIT ", -INDENT, INDENT, 0);
        match limit {
            Expr::Constant { value, .. } if value.is_null() => self.push("ALL"),
            limit => self.expression(limit, false),
        }
    }

    fn lock(&mut self, level: LevelId, lock: &AnalysedLock) {
        let words = match lock.strength {
            LockStrength::KeyShare => " FOR KEY SHARE",
            LockStrength::Share => " FOR SHARE",
            LockStrength::NoKeyUpdate => " FOR NO KEY UPDATE",
            LockStrength::Update => " FOR UPDATE",
        };
        self.keyword(words, -INDENT, INDENT, 0);
        if let Some(name) = self.level_names(level).and_then(|names| names.items.get(lock.item)?.clone()) {
            self.push(" OF ");
            self.push_identifier(&name);
        }
        self.push(match lock.wait {
            LockWaitPolicy::Wait => "",
            LockWaitPolicy::NoWait => " NOWAIT",
            LockWaitPolicy::SkipLocked => " SKIP LOCKED",
        });
    }

    pub(super) fn values(&mut self, rows: &'p [Vec<Expr>]) {
        self.push("VALUES ");
        for (at, row) in rows.iter().enumerate() {
            self.push(if at == 0 { "(" } else { ", (" });
            for (at, value) in row.iter().enumerate() {
                if at > 0 {
                    self.push(",");
                }
                self.field_value(value, false);
            }
            self.push(")");
        }
    }
}

/// The rows of a query that is nothing but a VALUES list.
fn plain_values<'q>(query: &'q AnalysedQuery, columns: Option<&[&str]>) -> Option<&'q [Vec<Expr>]> {
    let mut values = None;
    for item in &query.items {
        match &item.source {
            ItemSource::Values(rows) if values.is_none() => values = Some((rows, &item.columns)),
            ItemSource::Hidden => {}
            _ => return None,
        }
    }
    let (rows, own) = values?;
    let named = query.targets.len() == own.len()
        && query.targets.iter().zip(own).enumerate().all(|(at, (target, own))| {
            let name = columns.and_then(|columns| columns.get(at).copied()).unwrap_or(&target.name);
            !target.junk && name == &*own.name
        });
    named.then_some(rows)
}
