//! Prints bound expressions as PostgreSQL's ruleutils does, parenthesised in full or (`pretty`) only where precedence asks for it.

use std::sync::Arc;

use catalog::{
    builtin::builtins,
    type_names::{Names, quote_identifier, quote_literal},
};
use expr::{
    ColumnId, Expr,
    expression::{RowOperator, SessionValue, Subscript},
};
use types::{
    Datum, FormatSettings, Oid, SqlType,
    text_format::{TypeResolver, datum_to_text},
};

const INDENT: usize = 4;

/// What an expression is an operand of; decides whether it needs parentheses in pretty style.
#[derive(Clone, Copy)]
enum Parent<'e> {
    Operator { name: &'e str, is_left: bool },
    And,
    Or,
    Not,
    Other,
}

pub(super) struct Printer<'p> {
    pub names: &'p Names,
    pub format: &'p FormatSettings,
    /// Names of the columns that the expression mentions.
    pub columns: &'p [(Arc<str>, ColumnId)],
    pub pretty: bool,
    indent: usize,
    sql: String,
}

impl<'p> Printer<'p> {
    pub(super) fn new(
        names: &'p Names,
        format: &'p FormatSettings,
        columns: &'p [(Arc<str>, ColumnId)],
        pretty: bool,
    ) -> Printer<'p> {
        Printer { names, format, columns, pretty, indent: 0, sql: String::new() }
    }

    /// The expression's text; None when it holds something that has no text without its query.
    pub(super) fn print(mut self, expression: &Expr) -> Option<String> {
        self.expression(expression, false)?;
        Some(self.sql)
    }

    fn push(&mut self, text: &str) {
        self.sql.push_str(text);
    }

    /// Implicit casts show inside operators and functions only (`implicit`).
    fn expression(&mut self, expression: &Expr, implicit: bool) -> Option<()> {
        match expression {
            Expr::Constant { value, ty } => self.constant(value, *ty, true),
            Expr::Column { id, .. } => {
                let name = self.columns.iter().find(|(_, column)| column == id).map(|(name, _)| name.clone())?;
                self.push(&quote_identifier(&name));
            }
            Expr::Call { function, arguments, operator, .. } => match operator.and_then(|oid| builtins().operator(oid)) {
                Some(operator) => self.operator(operator.name, arguments)?,
                None => self.function(function.name, arguments)?,
            },
            Expr::And(terms) => self.connective(terms, " AND ", Parent::And)?,
            Expr::Or(terms) => self.connective(terms, " OR ", Parent::Or)?,
            Expr::Not(operand) => self.wrapped(|printer| {
                printer.push("NOT ");
                printer.operand(operand, false, Parent::Not)
            })?,
            Expr::IsNull { operand, negated } => {
                self.test(operand, if *negated { " IS NOT NULL" } else { " IS NULL" })?;
            }
            Expr::BooleanTest { operand, value, negated } => {
                let word = value.map_or("UNKNOWN", |value| if value { "TRUE" } else { "FALSE" });
                self.test(operand, &format!(" IS {}{word}", if *negated { "NOT " } else { "" }))?;
            }
            Expr::Distinct { left, right, negated, .. } => {
                let words = if *negated { " IS NOT DISTINCT FROM " } else { " IS DISTINCT FROM " };
                self.infix(left, words, right, Parent::Other)?;
            }
            Expr::Case { branches, otherwise, .. } => self.case(branches, otherwise)?,
            Expr::Coalesce { arguments, .. } => self.call("COALESCE", arguments)?,
            Expr::Extreme { arguments, greatest, .. } => self.call(if *greatest { "GREATEST" } else { "LEAST" }, arguments)?,
            Expr::NullIf { left, right, .. } => {
                self.push("NULLIF(");
                self.list([&**left, &**right])?;
                self.push(")");
            }
            Expr::Array { elements, ty, .. } => {
                self.push("ARRAY[");
                self.list(elements)?;
                self.push("]");
                if elements.is_empty() {
                    self.type_label(*ty);
                }
            }
            Expr::Row { fields, .. } => self.call("ROW", fields)?,
            Expr::ArrayCompare { left, array, all, operator, .. } => {
                let operator = operator.and_then(|oid| builtins().operator(oid))?;
                let quantifier = if *all { "ALL" } else { "ANY" };
                self.wrapped(|printer| {
                    printer.operand(left, true, Parent::Other)?;
                    printer.push(&format!(" {} {quantifier} (", operator.name));
                    printer.compared_array(array)?;
                    printer.push(")");
                    Some(())
                })?;
            }
            Expr::RowCompare { left, right, operator, .. } => {
                self.push("(");
                self.call("ROW", left)?;
                self.push(row_operator(*operator));
                self.call("ROW", right)?;
                self.push(")");
            }
            Expr::Cast { operand, ty, explicit, .. } => self.cast(operand, *ty, *explicit || implicit)?,
            Expr::Subscript { operand, subscripts, .. } => self.subscripts(operand, subscripts)?,
            Expr::Field { operand, field, .. } => {
                let (names, _) = self.names.composite_fields(operand.ty().oid)?;
                self.push("(");
                self.expression(operand, true)?;
                self.push(&format!(").{}", quote_identifier(names.get(*field)?)));
            }
            Expr::Session { value, .. } => self.push(session_value(*value)),
            Expr::DomainValue { .. } => self.push("VALUE"),
            Expr::Collate { operand, collation } => {
                let name = self.names.reg_name(Oid::REGCOLLATION, *collation)?;
                self.wrapped(|printer| {
                    printer.operand(operand, true, Parent::Other)?;
                    printer.push(&format!(" COLLATE {name}"));
                    Some(())
                })?;
            }
            Expr::Parameter { .. } | Expr::SubscriptAssign { .. } | Expr::FieldAssign { .. } | Expr::Subquery(_) => return None,
        }
        Some(())
    }

    /// In parentheses, except in pretty style.
    fn wrapped(&mut self, print: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        if self.pretty {
            return print(self);
        }
        self.push("(");
        print(self)?;
        self.push(")");
        Some(())
    }

    /// An operand, in pretty style parenthesised where its place asks for it.
    fn operand(&mut self, operand: &Expr, implicit: bool, parent: Parent) -> Option<()> {
        let needs = self.pretty && !is_simple(operand, parent, implicit);
        if needs {
            self.push("(");
        }
        self.expression(operand, implicit)?;
        if needs {
            self.push(")");
        }
        Some(())
    }

    fn infix(&mut self, left: &Expr, words: &str, right: &Expr, parent: Parent) -> Option<()> {
        self.wrapped(|printer| {
            printer.operand(left, true, parent)?;
            printer.push(words);
            printer.operand(right, true, parent)
        })
    }

    fn operator(&mut self, name: &str, arguments: &[Expr]) -> Option<()> {
        self.wrapped(|printer| match arguments {
            [left, right] => {
                printer.operand(left, true, Parent::Operator { name, is_left: true })?;
                printer.push(&format!(" {name} "));
                printer.operand(right, true, Parent::Operator { name, is_left: false })
            }
            [operand] => {
                printer.push(&format!("{name} "));
                printer.operand(operand, true, Parent::Other)
            }
            _ => None,
        })
    }

    /// A function call; those that SQL has a syntax of their own for print in it.
    fn function(&mut self, name: &str, arguments: &[Expr]) -> Option<()> {
        match (name, arguments) {
            ("extract", [Expr::Constant { value: Datum::Text(field), .. }, source]) => {
                self.push(&format!("EXTRACT({field} FROM "));
                self.expression(source, false)?;
                self.push(")");
            }
            ("timezone", [zone, time]) => {
                self.push("(");
                self.operand(time, false, Parent::Other)?;
                self.push(" AT TIME ZONE ");
                self.operand(zone, false, Parent::Other)?;
                self.push(")");
            }
            ("position", [string, part]) => {
                self.push("POSITION((");
                self.expression(part, false)?;
                self.push(") IN (");
                self.expression(string, false)?;
                self.push("))");
            }
            _ => self.call(&quote_identifier(name), arguments)?,
        }
        Some(())
    }

    /// The array of `= ANY (...)`. A list of constants is kept as one array, but prints as the list that it was.
    fn compared_array(&mut self, array: &Expr) -> Option<()> {
        let (list, cast) = match array {
            Expr::Cast { operand, ty, .. } => (&**operand, Some(*ty)),
            _ => (array, None),
        };
        let Expr::Constant { value: Datum::Array(list), .. } = list else { return self.operand(array, true, Parent::Other) };
        if list.dimensions.len() != 1 {
            return self.operand(array, true, Parent::Other);
        }
        let wrapped = cast.is_some() && !self.pretty;
        self.push(if wrapped { "(ARRAY[" } else { "ARRAY[" });
        for (at, element) in list.elements.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.constant(element, list.element_type, true);
        }
        self.push(if wrapped { "])" } else { "]" });
        if let Some(ty) = cast {
            self.type_label(ty);
        }
        Some(())
    }

    fn call(&mut self, name: &str, arguments: &[Expr]) -> Option<()> {
        self.push(name);
        self.push("(");
        self.list(arguments)?;
        self.push(")");
        Some(())
    }

    fn list<'e>(&mut self, items: impl IntoIterator<Item = &'e Expr>) -> Option<()> {
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.expression(item, true)?;
        }
        Some(())
    }

    fn connective(&mut self, terms: &[Expr], word: &str, parent: Parent) -> Option<()> {
        self.wrapped(|printer| {
            for (at, term) in terms.iter().enumerate() {
                if at > 0 {
                    printer.push(word);
                }
                printer.operand(term, false, parent)?;
            }
            Some(())
        })
    }

    fn test(&mut self, operand: &Expr, words: &str) -> Option<()> {
        self.wrapped(|printer| {
            printer.operand(operand, true, Parent::Other)?;
            printer.push(words);
            Some(())
        })
    }

    fn new_line(&mut self) {
        self.sql.truncate(self.sql.trim_end_matches(' ').len());
        self.sql.push('\n');
        self.sql.extend(std::iter::repeat_n(' ', self.indent));
    }

    fn case(&mut self, branches: &[(Expr, Expr)], otherwise: &Expr) -> Option<()> {
        self.new_line();
        self.push("CASE");
        self.indent += INDENT;
        for (condition, result) in branches {
            self.new_line();
            self.push("WHEN ");
            self.expression(condition, false)?;
            self.push(" THEN ");
            self.expression(result, true)?;
        }
        self.new_line();
        self.push("ELSE ");
        self.expression(otherwise, true)?;
        self.indent -= INDENT;
        self.new_line();
        self.push("END");
        Some(())
    }

    fn cast(&mut self, operand: &Expr, ty: SqlType, shown: bool) -> Option<()> {
        if !shown {
            return self.expression(operand, false);
        }
        match operand {
            Expr::Constant { value, ty: own } if own.oid == ty.oid && own.typmod == -1 => self.constant(value, *own, false),
            _ if self.pretty => self.operand(operand, false, Parent::Other)?,
            _ => {
                self.push("(");
                self.expression(operand, false)?;
                self.push(")");
            }
        }
        self.type_label(ty);
        Some(())
    }

    fn type_label(&mut self, ty: SqlType) {
        let label = format!("::{}", self.names.format_type(ty));
        self.push(&label);
    }

    fn subscripts(&mut self, operand: &Expr, subscripts: &[Subscript]) -> Option<()> {
        let bare = matches!(operand, Expr::Column { .. });
        if !bare {
            self.push("(");
        }
        self.expression(operand, true)?;
        if !bare {
            self.push(")");
        }
        for subscript in subscripts {
            self.push("[");
            match subscript {
                Subscript::Index(index) => self.expression(index, false)?,
                Subscript::Slice(lower, upper) => {
                    lower.iter().try_for_each(|bound| self.expression(bound, false))?;
                    self.push(":");
                    upper.iter().try_for_each(|bound| self.expression(bound, false))?;
                }
            }
            self.push("]");
        }
        Some(())
    }

    /// A constant with its type, which numbers and booleans that read back as themselves leave out.
    fn constant(&mut self, value: &Datum, ty: SqlType, labelled: bool) {
        if value.is_null() {
            self.push("NULL");
            if labelled {
                self.type_label(ty);
            }
            return;
        }
        let mut text = String::new();
        datum_to_text(value, ty, self.format, self.names, &mut text);
        let starts_with_digit = text.starts_with(|c: char| c.is_ascii_digit());
        let needs_label = match ty.oid {
            Oid::BOOL => {
                self.push(if text == "t" { "true" } else { "false" });
                return;
            }
            Oid::INT4 if starts_with_digit => {
                self.push(&text);
                false
            }
            Oid::NUMERIC if starts_with_digit && text.contains(['e', 'E', '.']) => {
                self.push(&text);
                ty.typmod >= 0
            }
            _ => {
                self.push(&quote_literal(&text));
                ty.oid != Oid::UNKNOWN
            }
        };
        if needs_label && labelled {
            self.type_label(ty);
        }
    }
}

fn row_operator(operator: RowOperator) -> &'static str {
    match operator {
        RowOperator::Equal => " = ",
        RowOperator::NotEqual => " <> ",
        RowOperator::Less => " < ",
        RowOperator::LessOrEqual => " <= ",
        RowOperator::Greater => " > ",
        RowOperator::GreaterOrEqual => " >= ",
    }
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

/// Whether an expression stands by itself below this parent (ruleutils' isSimpleNode).
fn is_simple(expression: &Expr, parent: Parent, implicit: bool) -> bool {
    match expression {
        Expr::Call { operator: Some(operator), arguments, .. } => match (parent, arguments.len()) {
            (Parent::Operator { name, is_left }, 2) => {
                let own = builtins().operator(*operator).map_or("", |operator| operator.name);
                binds_tighter(own, name, is_left)
            }
            (Parent::Operator { .. }, _) => false,
            _ => is_delimited(parent),
        },
        Expr::IsNull { .. }
        | Expr::BooleanTest { .. }
        | Expr::Distinct { .. }
        | Expr::ArrayCompare { .. }
        | Expr::RowCompare { .. }
        | Expr::Collate { .. } => is_delimited(parent),
        Expr::And(_) | Expr::Not(_) => matches!(parent, Parent::And | Parent::Or),
        Expr::Or(_) => matches!(parent, Parent::Or),
        Expr::Cast { operand, explicit, .. } if *explicit || implicit => is_simple(operand, Parent::Other, false),
        Expr::Cast { operand, .. } => is_simple(operand, parent, implicit),
        _ => true,
    }
}

fn is_delimited(parent: Parent) -> bool {
    matches!(parent, Parent::And | Parent::Or | Parent::Not)
}

/// Arithmetic below arithmetic: higher precedence, or the same on the left.
fn binds_tighter(own: &str, parent: &str, is_left: bool) -> bool {
    let priority = |name: &str| match name {
        "+" | "-" => Some(0),
        "*" | "/" | "%" => Some(1),
        _ => None,
    };
    match (priority(own), priority(parent)) {
        (Some(own), Some(parent)) => own > parent || own == parent && is_left,
        _ => false,
    }
}
