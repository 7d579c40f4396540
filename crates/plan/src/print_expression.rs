//! Prints bound expressions as PostgreSQL's ruleutils does: every operator in parentheses, constants with their types.

use std::fmt::Write;

use catalog::{builtin::builtins, type_names::Names};
use expr::{
    ColumnId, Expr, SortKey,
    expression::{CastMethod, RowOperator, SessionValue, Subquery, SubqueryKind, Subscript},
};
use types::{Datum, FormatSettings, Oid, SqlType, text_format::datum_to_text};

use crate::comparison;

/// What a printer must know besides the expression.
pub struct ExpressionPrinter<'a> {
    pub names: &'a Names,
    pub format: &'a FormatSettings,
    /// The text of a column, as the query calls it.
    pub column: &'a dyn Fn(ColumnId) -> String,
    /// The text of a subquery, `(SubPlan 1)`; None prints `(subquery)`.
    pub subquery: &'a dyn Fn(&Subquery) -> String,
}

/// Prints one expression.
pub fn print_expression(expression: &Expr, printer: &ExpressionPrinter<'_>) -> String {
    let mut out = String::new();
    printer.write(expression, &mut out);
    out
}

impl ExpressionPrinter<'_> {
    pub fn sort_key(&self, key: &SortKey) -> String {
        let mut text = String::new();
        // Anything but a plain column or call is in parentheses.
        match &key.expression {
            Expr::Column { .. } | Expr::Constant { .. } => self.write(&key.expression, &mut text),
            other => {
                self.write(other, &mut text);
                if !text.starts_with('(') {
                    text = format!("({text})");
                }
            }
        }
        match (key.descending, key.nulls_first) {
            (false, false) => {}
            (false, true) => text.push_str(" NULLS FIRST"),
            (true, true) => text.push_str(" DESC"),
            (true, false) => text.push_str(" DESC NULLS LAST"),
        }
        text
    }

    fn list<'e>(&self, expressions: impl IntoIterator<Item = &'e Expr>, separator: &str, out: &mut String) {
        for (at, expression) in expressions.into_iter().enumerate() {
            if at > 0 {
                out.push_str(separator);
            }
            self.write(expression, out);
        }
    }

    /// Appends the text of an expression.
    pub fn write(&self, expression: &Expr, out: &mut String) {
        match expression {
            Expr::Constant { value, ty } => self.constant(value, *ty, out),
            Expr::Column { id, .. } => out.push_str(&(self.column)(*id)),
            Expr::Parameter { index, .. } => {
                let _ = write!(out, "${}", index + 1);
            }
            Expr::Call { function, arguments, operator, .. } => self.call(function, arguments, *operator, out),
            Expr::And(terms) => self.connected(terms, " AND ", out),
            Expr::Or(terms) => self.connected(terms, " OR ", out),
            Expr::Not(operand) => {
                out.push_str("(NOT ");
                self.write(operand, out);
                out.push(')');
            }
            Expr::IsNull { operand, negated } => self.test(operand, if *negated { " IS NOT NULL" } else { " IS NULL" }, out),
            Expr::BooleanTest { operand, value, negated } => {
                let value = match value {
                    Some(true) => "TRUE",
                    Some(false) => "FALSE",
                    None => "UNKNOWN",
                };
                self.test(operand, &format!(" IS {}{value}", if *negated { "NOT " } else { "" }), out);
            }
            Expr::Distinct { left, right, negated, .. } => {
                let words = if *negated { " IS NOT DISTINCT FROM " } else { " IS DISTINCT FROM " };
                out.push('(');
                self.list([&**left, &**right], words, out);
                out.push(')');
            }
            Expr::Case { branches, otherwise, .. } => self.case(branches, otherwise, out),
            Expr::Coalesce { arguments, .. } => self.named("COALESCE", arguments, out),
            Expr::Extreme { arguments, greatest, .. } => {
                self.named(if *greatest { "GREATEST" } else { "LEAST" }, arguments, out);
            }
            Expr::NullIf { left, right, .. } => {
                out.push_str("NULLIF(");
                self.list([&**left, &**right], ", ", out);
                out.push(')');
            }
            Expr::Array { elements, ty, .. } => self.array(elements, *ty, out),
            Expr::Row { fields, .. } => self.named("ROW", fields, out),
            Expr::ArrayCompare { left, array, function, all, operator, .. } => {
                out.push('(');
                self.write(left, out);
                let _ = write!(out, " {} {} (", operator_name(function.oid, *operator), if *all { "ALL" } else { "ANY" });
                self.write(array, out);
                out.push_str("))");
            }
            Expr::RowCompare { left, right, operator, .. } => self.row_compare(left, *operator, right, out),
            Expr::Cast { operand, ty, method, .. } => self.cast(operand, *ty, method, out),
            Expr::Subscript { operand, subscripts, .. } => {
                self.operand(operand, out);
                subscripts.iter().for_each(|subscript| self.subscript(subscript, out));
            }
            Expr::SubscriptAssign { operand, value, .. } | Expr::FieldAssign { operand, value, .. } => {
                self.list([&**operand, &**value], " := ", out);
            }
            Expr::Field { operand, field, .. } => {
                self.operand(operand, out);
                let _ = write!(out, ".f{}", field + 1);
            }
            Expr::Subquery(subquery) => self.subquery(subquery, out),
            Expr::Session { value, .. } => out.push_str(session_value(*value)),
            Expr::DomainValue { .. } => out.push_str("VALUE"),
            Expr::Collate { operand, collation } => {
                out.push('(');
                self.write(operand, out);
                let name = if *collation == Oid::C_COLLATION { "\"C\"" } else { "\"default\"" };
                let _ = write!(out, " COLLATE {name})");
            }
        }
    }

    fn case(&self, branches: &[(Expr, Expr)], otherwise: &Expr, out: &mut String) {
        out.push_str("CASE");
        for (condition, result) in branches {
            out.push_str(" WHEN ");
            self.write(condition, out);
            out.push_str(" THEN ");
            self.write(result, out);
        }
        out.push_str(" ELSE ");
        self.write(otherwise, out);
        out.push_str(" END");
    }

    fn array(&self, elements: &[Expr], ty: SqlType, out: &mut String) {
        out.push_str("ARRAY[");
        self.list(elements, ", ", out);
        out.push(']');
        if elements.is_empty() {
            let _ = write!(out, "::{}", self.names.format_type(ty));
        }
    }

    fn row_compare(&self, left: &[Expr], operator: RowOperator, right: &[Expr], out: &mut String) {
        out.push('(');
        self.named("ROW", left, out);
        out.push_str(match operator {
            RowOperator::Equal => " = ",
            RowOperator::NotEqual => " <> ",
            RowOperator::Less => " < ",
            RowOperator::LessOrEqual => " <= ",
            RowOperator::Greater => " > ",
            RowOperator::GreaterOrEqual => " >= ",
        });
        self.named("ROW", right, out);
        out.push(')');
    }

    fn connected(&self, terms: &[Expr], word: &str, out: &mut String) {
        out.push('(');
        self.list(terms, word, out);
        out.push(')');
    }

    fn test(&self, operand: &Expr, test: &str, out: &mut String) {
        out.push('(');
        self.write(operand, out);
        out.push_str(test);
        out.push(')');
    }

    fn named(&self, name: &str, arguments: &[Expr], out: &mut String) {
        out.push_str(name);
        out.push('(');
        self.list(arguments, ", ", out);
        out.push(')');
    }

    /// An operand of a subscript or field, which only a simple expression is without parentheses.
    fn operand(&self, operand: &Expr, out: &mut String) {
        if matches!(operand, Expr::Column { .. } | Expr::Parameter { .. }) {
            return self.write(operand, out);
        }
        out.push('(');
        self.write(operand, out);
        out.push(')');
    }

    fn subscript(&self, subscript: &Subscript, out: &mut String) {
        out.push('[');
        match subscript {
            Subscript::Index(index) => self.write(index, out),
            Subscript::Slice(lower, upper) => {
                lower.iter().for_each(|lower| self.write(lower, out));
                out.push(':');
                upper.iter().for_each(|upper| self.write(upper, out));
            }
        }
        out.push(']');
    }

    fn call(&self, function: &catalog::builtin::BuiltinFunction, arguments: &[Expr], operator: Option<Oid>, out: &mut String) {
        let operator = operator.or_else(|| comparison::of(function.oid).map(|known| known.operator));
        let name = operator.and_then(|oid| builtins().operator(oid)).map(|operator| operator.name);
        match (name, arguments) {
            (Some(name), [left, right]) => {
                out.push('(');
                self.write(left, out);
                let _ = write!(out, " {name} ");
                self.write(right, out);
                out.push(')');
            }
            (Some(name), [operand]) => {
                let _ = write!(out, "({name} ");
                self.write(operand, out);
                out.push(')');
            }
            _ => self.named(&catalog::type_names::quote_identifier(function.name), arguments, out),
        }
    }

    fn cast(&self, operand: &Expr, ty: SqlType, method: &CastMethod, out: &mut String) {
        // The array of a constant list keeps its literal form.
        if matches!(method, CastMethod::Length) && ty.typmod == -1 {
            return self.write(operand, out);
        }
        out.push('(');
        self.write(operand, out);
        let _ = write!(out, ")::{}", self.names.format_type(ty));
    }

    fn constant(&self, value: &Datum, ty: SqlType, out: &mut String) {
        let mut text = String::new();
        match value {
            Datum::Null => {
                let _ = write!(out, "NULL::{}", self.names.format_type(ty));
                return;
            }
            Datum::Bool(value) => return out.push_str(if *value { "true" } else { "false" }),
            value => datum_to_text(value, ty, self.format, self.names, &mut text),
        }
        let bare = match ty.oid {
            Oid::INT4 => !text.starts_with('-'),
            // A numeric reads back as one only with a point.
            Oid::NUMERIC => ty.typmod == -1 && text.contains('.') && !text.starts_with('-'),
            _ => false,
        };
        if bare {
            out.push_str(&text);
        } else {
            let _ = write!(out, "{}::{}", catalog::type_names::quote_literal(&text), self.names.format_type(ty));
        }
    }

    fn subquery(&self, subquery: &Subquery, out: &mut String) {
        let plan = (self.subquery)(subquery);
        match &subquery.kind {
            SubqueryKind::Compare { .. } if subquery.outer.is_empty() => {
                let _ = write!(out, "(hashed {plan})");
            }
            _ if plan.starts_with('$') => out.push_str(&plan),
            _ => {
                let _ = write!(out, "({plan})");
            }
        }
    }
}

fn operator_name(function: Oid, operator: Option<Oid>) -> &'static str {
    let operator = operator.or_else(|| comparison::of(function).map(|known| known.operator));
    operator.and_then(|oid| builtins().operator(oid)).map_or("?", |operator| operator.name)
}

fn session_value(value: SessionValue) -> &'static str {
    match value {
        SessionValue::CurrentDate => "CURRENT_DATE",
        SessionValue::CurrentTime => "CURRENT_TIME",
        SessionValue::CurrentTimestamp => "CURRENT_TIMESTAMP",
        SessionValue::LocalTime => "LOCALTIME",
        SessionValue::LocalTimestamp => "LOCALTIMESTAMP",
        SessionValue::CurrentUser => "CURRENT_USER",
        SessionValue::SessionUser => "SESSION_USER",
        SessionValue::CurrentCatalog => "CURRENT_CATALOG",
        SessionValue::CurrentSchema => "CURRENT_SCHEMA",
    }
}
