//! FROM: relations, subqueries, functions and joins, with the aliases that they need.

use catalog::type_names::quote_qualified;
use expr::{Expr, expression::Written};
use types::Oid;

use super::{INDENT, INDENT_FIELD, INDENT_JOIN, Printer};
use crate::{
    analysed::{AnalysedQuery, ItemCall, ItemJoin, ItemSource},
    logical::JoinKind,
};

impl<'p> Printer<'p> {
    pub(super) fn list_of_from(&mut self, query: &'p AnalysedQuery) {
        for (at, item) in query.from.iter().enumerate() {
            if at == 0 {
                self.keyword(" FROM ", -INDENT, INDENT, 2);
                self.range_item(query, *item);
                continue;
            }
            self.push(", ");
            let text = self.apart(|printer| printer.range_item(query, *item));
            if self.wraps() {
                if text.starts_with('\n') {
                    self.trim_blanks();
                } else if self.exceeds_line(text.len()) {
                    self.keyword("", -INDENT, INDENT, INDENT_FIELD);
                }
            }
            self.push(&text);
        }
    }

    fn range_item(&mut self, query: &'p AnalysedQuery, at: usize) {
        let Some(item) = query.items.get(at) else { return };
        if let ItemSource::Join(join) = &item.source {
            return self.join(query, at, join);
        }
        if item.lateral {
            self.push("LATERAL ");
        }
        let mut definitions = None;
        match &item.source {
            ItemSource::Relation { oid, only } => {
                self.push(if *only { "ONLY " } else { "" });
                self.relation_name(*oid);
            }
            ItemSource::Subquery(inner) => {
                self.push("(");
                self.nested_query(inner, true);
                self.push(")");
            }
            ItemSource::Functions { calls, ordinality } => definitions = self.functions(calls, *ordinality),
            ItemSource::Values(rows) => {
                self.push("(");
                self.values(rows);
                self.push(")");
            }
            ItemSource::Cte(name) => self.push_identifier(name),
            ItemSource::Join(_) | ItemSource::Hidden => {}
        }
        self.item_alias(query, at);
        match definitions {
            Some(call) => self.column_definitions(query, Some(at), call),
            None => self.column_aliases(query, at),
        }
    }

    /// A relation, with its schema where its bare name would not find it.
    pub(super) fn relation_name(&mut self, oid: Oid) {
        let Some(relation) = self.names.relation(oid) else { return };
        let visible = self.names.relation_is_visible(&relation) && !self.is_hidden_by_cte(relation.name());
        let schema = if visible { None } else { self.names.schema_name(relation.schema()) };
        let name = quote_qualified(schema.as_deref(), relation.name());
        self.push(&name);
    }

    /// Whether a bare name would find a query of WITH instead.
    fn is_hidden_by_cte(&self, name: &str) -> bool {
        self.cte_names.iter().any(|known| **known == *name)
    }

    /// The call whose column definitions have still to be printed, behind the alias.
    fn functions(&mut self, calls: &'p [ItemCall], ordinality: bool) -> Option<&'p ItemCall> {
        let mut pending = None;
        match calls {
            [only] if only.columns.is_none() || !ordinality => {
                self.function_item(&only.call);
                pending = only.columns.is_some().then_some(only);
            }
            _ if calls.iter().all(is_plain_unnest) => {
                self.push("UNNEST(");
                let arguments = calls.iter().flat_map(|call| match &call.call {
                    Expr::Call { arguments, .. } => &arguments[..],
                    _ => &[],
                });
                self.list(arguments, true);
                self.push(")");
            }
            _ => {
                self.push("ROWS FROM(");
                for (at, call) in calls.iter().enumerate() {
                    if at > 0 {
                        self.push(", ");
                    }
                    self.function_item(&call.call);
                    if call.columns.is_some() {
                        self.push(" AS ");
                        self.column_definitions_of(call, None);
                    }
                }
                self.push(")");
            }
        }
        if ordinality {
            self.push(" WITH ORDINALITY");
        }
        pending
    }

    /// A function in FROM; anything else must be written as one that the grammar takes for a call.
    fn function_item(&mut self, call: &Expr) {
        let is_call = match call {
            Expr::Call { written, .. } => !matches!(written, Written::Operator(_)),
            Expr::Coalesce { .. } | Expr::Extreme { .. } | Expr::NullIf { .. } | Expr::Session { .. } => true,
            _ => false,
        };
        if is_call {
            return self.expression(call, true);
        }
        self.push("CAST(");
        self.expression(call, false);
        self.push(" AS ");
        let ty = self.names.format_type(call.ty());
        self.push(&ty);
        self.push(")");
    }

    fn column_definitions(&mut self, query: &'p AnalysedQuery, at: Option<usize>, call: &ItemCall) {
        let names = at.and_then(|at| self.level_names(query.level)?.columns.get(at)).map(|columns| columns.listed.clone());
        self.column_definitions_of(call, names);
    }

    fn column_definitions_of(&mut self, call: &ItemCall, names: Option<Vec<String>>) {
        self.push("(");
        for (at, (name, ty)) in call.columns.iter().flatten().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            let chosen = names.as_ref().and_then(|names| names.get(at));
            self.push_identifier(chosen.map_or(&**name, |chosen| chosen));
            let ty = self.names.format_type(*ty);
            self.push(&format!(" {ty}"));
        }
        self.push(")");
    }

    fn item_alias(&mut self, query: &'p AnalysedQuery, at: usize) {
        let Some(names) = self.level_names(query.level) else { return };
        let Some(name) = names.items.get(at).cloned().flatten() else { return };
        let item = &query.items[at];
        let needed = item.alias.is_some()
            || names.columns.get(at).is_some_and(|columns| columns.prints_list)
            || match &item.source {
                ItemSource::Relation { oid, .. } => self.names.relation(*oid).is_none_or(|relation| relation.name() != name),
                ItemSource::Cte(own) => **own != *name,
                _ => true,
            };
        if needed {
            self.push(" ");
            self.push_identifier(&name);
        }
    }

    fn column_aliases(&mut self, query: &'p AnalysedQuery, at: usize) {
        let Some(columns) = self.level_names(query.level).and_then(|names| names.columns.get(at)) else { return };
        if columns.prints_list && !columns.listed.is_empty() {
            let listed = columns.listed.clone();
            self.push("(");
            self.identifiers(listed.iter().map(String::as_str));
            self.push(")");
        }
    }

    fn join(&mut self, query: &'p AnalysedQuery, at: usize, join: &'p ItemJoin) {
        let item = &query.items[at];
        let right = query.items.get(join.right);
        let right_is_join = right.is_some_and(|right| matches!(right.source, ItemSource::Join(_)) && right.alias.is_none());
        let using = self.level_names(query.level).and_then(|names| names.columns.get(at)).map(|columns| columns.using.clone());
        let using = using.unwrap_or_default();
        let brackets = !self.style.pretty || item.alias.is_some();
        self.bracketed(brackets, |printer| {
            printer.range_item(query, join.left);
            let word = match join.kind {
                JoinKind::Left => " LEFT JOIN ",
                JoinKind::Right => " RIGHT JOIN ",
                JoinKind::Full => " FULL JOIN ",
                _ if join.condition.is_none() && using.is_empty() => " CROSS JOIN ",
                _ => " JOIN ",
            };
            printer.keyword(word, -INDENT, INDENT, INDENT_JOIN);
            printer.bracketed(printer.style.pretty && right_is_join, |printer| printer.range_item(query, join.right));
            if !using.is_empty() {
                printer.push(" USING (");
                printer.identifiers(using.iter().map(String::as_str));
                printer.push(")");
                if let Some(alias) = &join.using_alias {
                    printer.push(" AS ");
                    printer.push_identifier(alias);
                }
            } else if let Some(condition) = &join.condition {
                printer.push(" ON ");
                printer.bracketed(!printer.style.pretty, |printer| printer.expression(condition, false));
            } else if word != " CROSS JOIN " {
                printer.push(" ON TRUE");
            }
        });
        if item.alias.is_some() {
            self.item_alias(query, at);
            self.column_aliases(query, at);
        }
    }
}

fn is_plain_unnest(call: &ItemCall) -> bool {
    call.columns.is_none() && matches!(&call.call, Expr::Call { function, .. } if function.name == "unnest")
}
