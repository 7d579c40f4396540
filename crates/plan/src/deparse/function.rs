//! Calls: of functions, in SQL's own syntax where they were written so, of aggregates, and over windows.

use std::sync::Arc;

use catalog::{
    builtin::{BuiltinFunction, builtins},
    type_names::quote_qualified,
};
use expr::{AggregateCall, Expr, SortKey, expression::Written};
use types::Datum;

use super::{Printer, Scope, simple::Parent};
use crate::{
    analysed::AnalysedWindow,
    logical::{Frame, FrameBound, FrameExclusion, FrameMode},
};

impl Printer<'_> {
    fn function_name(&mut self, function: &BuiltinFunction) {
        let schema = if self.names.function_is_visible(function) { None } else { self.names.schema_name(function.schema) };
        let name = quote_qualified(schema.as_deref(), function.name);
        self.push(&name);
    }

    pub(super) fn call(&mut self, function: &BuiltinFunction, arguments: &[Expr], written: Written) {
        if written == Written::Syntax && self.in_own_syntax(function.name, arguments) {
            return;
        }
        self.function_name(function);
        self.push("(");
        for (at, argument) in arguments.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            if written == Written::Variadic && at + 1 == arguments.len() {
                self.push("VARIADIC ");
            }
            self.expression(argument, true);
        }
        self.push(")");
    }

    /// `f(a, name => b)`
    pub(super) fn named_call(&mut self, call: &Expr, names: &[Arc<str>]) {
        let Expr::Call { function, arguments, .. } = call else { return self.expression(call, true) };
        self.function_name(function);
        self.push("(");
        let positional = arguments.len().saturating_sub(names.len());
        for (at, argument) in arguments.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            if let Some(name) = at.checked_sub(positional).and_then(|at| names.get(at)) {
                self.push_identifier(name);
                self.push(" => ");
            }
            self.expression(argument, true);
        }
        self.push(")");
    }

    /// The special syntaxes of the SQL standard (get_func_sql_syntax); false for a function that has none.
    fn in_own_syntax(&mut self, name: &str, arguments: &[Expr]) -> bool {
        match (name, arguments) {
            ("timezone", [zone, time]) => {
                self.push("(");
                self.operand(time, false, Parent::Special);
                self.push(" AT TIME ZONE ");
                self.operand(zone, false, Parent::Special);
                self.push(")");
            }
            ("overlaps", [a, b, c, d]) => {
                self.parts(&[("((", Some(a)), (", ", Some(b)), (") OVERLAPS (", Some(c)), (", ", Some(d)), ("))", None)]);
            }
            ("extract", [field, source]) => {
                let field = keyword(field);
                self.parts(&[(&format!("EXTRACT({field} FROM "), Some(source)), (")", None)]);
            }
            ("is_normalized", [text, form @ ..]) => {
                self.push("(");
                self.operand(text, false, Parent::Special);
                let form: String = form.iter().map(|form| format!(" {}", keyword(form))).collect();
                self.push(&format!(" IS{form} NORMALIZED)"));
            }
            ("normalize", [text, form @ ..]) => {
                let form: String = form.iter().map(|form| format!(", {}", keyword(form))).collect();
                self.parts(&[("NORMALIZE(", Some(text)), (&format!("{form})"), None)]);
            }
            ("pg_collation_for", [value]) => self.parts(&[("COLLATION FOR (", Some(value)), (")", None)]),
            ("overlay", [text, new, start]) => {
                self.parts(&[("OVERLAY(", Some(text)), (" PLACING ", Some(new)), (" FROM ", Some(start)), (")", None)]);
            }
            ("overlay", [text, new, start, length]) => self.parts(&[
                ("OVERLAY(", Some(text)),
                (" PLACING ", Some(new)),
                (" FROM ", Some(start)),
                (" FOR ", Some(length)),
                (")", None),
            ]),
            ("position", [string, part]) => {
                self.parts(&[("POSITION((", Some(part)), (") IN (", Some(string)), ("))", None)]);
            }
            ("substring", [text, from, length]) if from.ty().oid == types::Oid::TEXT => {
                self.parts(&[("SUBSTRING(", Some(text)), (" SIMILAR ", Some(from)), (" ESCAPE ", Some(length)), (")", None)]);
            }
            ("substring", [text, from]) if from.ty().oid != types::Oid::TEXT => {
                self.parts(&[("SUBSTRING(", Some(text)), (" FROM ", Some(from)), (")", None)]);
            }
            ("substring", [text, from, length]) => {
                self.parts(&[("SUBSTRING(", Some(text)), (" FROM ", Some(from)), (" FOR ", Some(length)), (")", None)]);
            }
            ("btrim" | "ltrim" | "rtrim", [text, characters @ ..]) => {
                let side = match name {
                    "btrim" => "BOTH",
                    "ltrim" => "LEADING",
                    _ => "TRAILING",
                };
                self.push(&format!("TRIM({side}"));
                for characters in characters {
                    self.parts(&[(" ", Some(characters))]);
                }
                self.parts(&[(" FROM ", Some(text)), (")", None)]);
            }
            _ => return false,
        }
        true
    }

    fn parts(&mut self, parts: &[(&str, Option<&Expr>)]) {
        for (words, value) in parts {
            self.push(words);
            if let Some(value) = value {
                self.expression(value, false);
            }
        }
    }

    pub(super) fn aggregate(&mut self, call: &AggregateCall) {
        self.function_name(call.function);
        self.push(if call.distinct { "(DISTINCT " } else { "(" });
        if builtins().aggregate(call.function.oid).is_some_and(|facts| facts.kind != 'n') {
            self.list(&call.direct_arguments, true);
            self.push(") WITHIN GROUP (ORDER BY ");
            self.sort_keys(&call.order_by);
        } else {
            self.aggregated(call);
            if !call.order_by.is_empty() {
                self.push(" ORDER BY ");
                self.sort_keys(&call.order_by);
            }
        }
        self.aggregate_filter(call);
        self.push(")");
    }

    /// The arguments; an aggregate without any has a star.
    fn aggregated(&mut self, call: &AggregateCall) {
        match call.arguments.is_empty() && call.function.kind == 'a' {
            true => self.push("*"),
            false => self.list(&call.arguments, true),
        }
    }

    fn aggregate_filter(&mut self, call: &AggregateCall) {
        if let Some(filter) = &call.filter {
            self.push(") FILTER (WHERE ");
            self.expression(filter, false);
        }
    }

    pub(super) fn window_call(&mut self, call: &AggregateCall, window: usize) {
        self.function_name(call.function);
        self.push("(");
        self.aggregated(call);
        self.aggregate_filter(call);
        self.push(") OVER ");
        let windows = self.windows;
        match windows.get(window) {
            Some(AnalysedWindow { name: Some(name), .. }) => self.push_identifier(name),
            Some(window) => self.window(window),
            None => self.push("(?)"),
        }
    }

    /// A window's specification, in parentheses.
    pub(super) fn window(&mut self, window: &AnalysedWindow) {
        self.push("(");
        let mut blank = "";
        if let Some(base) = &window.based_on {
            self.push_identifier(base);
            blank = " ";
        }
        if !window.partition_by.is_empty() {
            self.push(blank);
            self.push("PARTITION BY ");
            for (at, key) in window.partition_by.iter().enumerate() {
                if at > 0 {
                    self.push(", ");
                }
                self.clause_item(key);
            }
            blank = " ";
        }
        if !window.order_by.is_empty() {
            self.push(blank);
            self.push("ORDER BY ");
            self.sort_keys(&window.order_by);
            blank = " ";
        }
        if let Some(frame) = &window.frame {
            self.push(blank);
            self.frame(frame, window.between);
        }
        self.push(")");
    }

    fn frame(&mut self, frame: &Frame, between: bool) {
        self.push(match frame.mode {
            FrameMode::Range => "RANGE ",
            FrameMode::Rows => "ROWS ",
            FrameMode::Groups => "GROUPS ",
        });
        if between {
            self.push("BETWEEN ");
        }
        self.frame_bound(&frame.start);
        if between {
            self.push(" AND ");
            self.frame_bound(&frame.end);
        }
        self.push(match frame.exclusion {
            FrameExclusion::NoOthers => "",
            FrameExclusion::CurrentRow => " EXCLUDE CURRENT ROW",
            FrameExclusion::Group => " EXCLUDE GROUP",
            FrameExclusion::Ties => " EXCLUDE TIES",
        });
    }

    fn frame_bound(&mut self, bound: &FrameBound) {
        match bound {
            FrameBound::UnboundedPreceding => self.push("UNBOUNDED PRECEDING"),
            FrameBound::CurrentRow => self.push("CURRENT ROW"),
            FrameBound::UnboundedFollowing => self.push("UNBOUNDED FOLLOWING"),
            FrameBound::Preceding(offset, _) => {
                self.expression(offset, false);
                self.push(" PRECEDING");
            }
            FrameBound::Following(offset, _) => {
                self.expression(offset, false);
                self.push(" FOLLOWING");
            }
        }
    }

    fn sort_keys(&mut self, keys: &[SortKey]) {
        for (at, key) in keys.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.clause_item(&key.expression);
            self.direction(key.descending, key.nulls_first);
        }
    }

    pub(super) fn direction(&mut self, descending: bool, nulls_first: bool) {
        self.push(match (descending, nulls_first) {
            (false, false) => "",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
        });
    }

    /// An expression of GROUP BY, ORDER BY and the like, which must not be taken for an ordinal or a grouping set.
    pub(super) fn clause_item(&mut self, expression: &Expr) {
        match expression {
            Expr::Constant { value, ty } => self.constant(value, *ty, super::constant::Label::Always),
            _ if self.is_plain_column(expression) => self.expression(expression, true),
            _ => {
                let is_call = self.style.pretty
                    || match expression {
                        Expr::Call { written, .. } => !matches!(written, Written::Operator(_)),
                        Expr::Column { .. } => true,
                        Expr::Cast { method, .. } => {
                            matches!(method, expr::expression::CastMethod::Function(_) | expr::expression::CastMethod::Length)
                        }
                        _ => false,
                    };
                self.bracketed(is_call, |printer| printer.expression(expression, true));
            }
        }
    }

    /// A sort key of a plan: anything but a plain column or literal is in parentheses.
    pub(super) fn explained_sort_key(&mut self, key: &SortKey) {
        debug_assert!(matches!(self.scope, Scope::Words(_)), "plans are printed by their vocabulary");
        let text = self.apart(|printer| printer.expression(&key.expression, true));
        let bare = matches!(key.expression, Expr::Column { .. } | Expr::Constant { .. }) || text.starts_with('(');
        self.bracketed(!bare, |printer| printer.push(&text));
        self.direction(key.descending, key.nulls_first);
    }
}

/// A word that the grammar has made a literal argument of.
fn keyword(argument: &Expr) -> &str {
    match argument {
        Expr::Constant { value: Datum::Text(text), .. } => text,
        _ => "?",
    }
}
