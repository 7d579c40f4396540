//! Expressions (get_rule_expr): each kind in its canonical form.

use catalog::{builtin::builtins, type_names::quote_identifier};
use expr::{
    ColumnId, Expr,
    expression::{CastMethod, RowOperator, SessionValue, Subquery, SubqueryKind, Subscript, Written},
};
use types::{Oid, SqlType, text_format::TypeResolver};

use super::{
    INDENT_FIELD, Printer, Scope,
    constant::Label,
    simple::{Parent, binary_name, is_simple},
};
use crate::{
    analysed::{AnalysedSubquery, Meaning},
    comparison,
};

impl<'p> Printer<'p> {
    /// Prints an expression. `implicit`: conversions that nobody wrote show, as they do in operands and arguments.
    pub(super) fn expression(&mut self, expression: &Expr, implicit: bool) {
        super::deeper(|| self.expression_here(expression, implicit));
    }

    fn expression_here(&mut self, expression: &Expr, implicit: bool) {
        match expression {
            Expr::Constant { value, ty } => self.constant(value, *ty, Label::WhenNeeded),
            Expr::Column { id, ty } => self.column(*id, *ty, false),
            Expr::Parameter { index, .. } => self.push(&format!("${}", index + 1)),
            Expr::Call { written: Written::Operator(operator), arguments, .. } => {
                let name = builtins().operator(*operator).map_or("?", |operator| operator.name);
                self.operator(name, binary_name(expression), arguments);
            }
            Expr::Call { function, arguments, written, .. } => self.call(function, arguments, *written),
            Expr::And(terms) => self.connective(terms, " AND ", Parent::And),
            Expr::Or(terms) => self.connective(terms, " OR ", Parent::Or),
            Expr::Not(operand) => self.negation(|printer| printer.operand(operand, false, Parent::Not)),
            Expr::IsNull { operand, negated } => {
                let words = match (is_row(operand), *negated) {
                    (false, false) => " IS NULL",
                    (false, true) => " IS NOT NULL",
                    (true, false) => " IS NULL",
                    (true, true) => " IS NOT NULL",
                };
                self.test(operand, true, words);
            }
            Expr::BooleanTest { operand, value, negated } => {
                let word = value.map_or("UNKNOWN", |value| if value { "TRUE" } else { "FALSE" });
                self.test(operand, false, &format!(" IS {}{word}", if *negated { "NOT " } else { "" }));
            }
            Expr::Distinct { left, right, negated: false, .. } => self.infix(left, " IS DISTINCT FROM ", right),
            Expr::Distinct { left, right, negated: true, .. } => {
                self.negation(|printer| printer.infix(left, " IS DISTINCT FROM ", right));
            }
            Expr::Case { branches, otherwise, simple, .. } => self.case(branches, otherwise, *simple),
            Expr::Coalesce { arguments, .. } => self.named("COALESCE", arguments),
            Expr::Extreme { arguments, greatest, .. } => self.named(if *greatest { "GREATEST" } else { "LEAST" }, arguments),
            Expr::NullIf { left, right, .. } => {
                self.push("NULLIF(");
                self.list([&**left, &**right], true);
                self.push(")");
            }
            Expr::Array { elements, ty, .. } => {
                self.push("ARRAY[");
                self.list(elements, true);
                self.push("]");
                if elements.is_empty() {
                    self.type_label(*ty);
                }
            }
            Expr::Row { fields, ty, .. } => self.row(fields, *ty),
            Expr::ArrayCompare { left, array, all, operator, function, .. } => {
                self.array_comparison(left, operator_name(function.oid, *operator), *all, array);
            }
            Expr::RowCompare { left, right, operator, .. } => self.row_comparison(left, *operator, right),
            Expr::Cast { operand, ty, explicit, method, .. } => self.cast(operand, *ty, method, *explicit || implicit),
            Expr::Subscript { operand, subscripts, .. } => self.subscripts(operand, subscripts, implicit),
            Expr::SubscriptAssign { operand, value, .. } | Expr::FieldAssign { operand, value, .. } => {
                self.expression(operand, true);
                self.push(" := ");
                self.expression(value, true);
            }
            Expr::Field { operand, field, .. } => self.field(operand, *field),
            Expr::Subquery(subquery) => self.subquery(subquery),
            Expr::Session { value, ty } => self.session_value(*value, *ty),
            Expr::DomainValue { .. } => self.push("VALUE"),
            Expr::Collate { operand, collation } => {
                let name = self.names.reg_name(Oid::REGCOLLATION, *collation).unwrap_or_default();
                self.wrapped(|printer| {
                    printer.operand(operand, implicit, Parent::Other);
                    printer.push(" COLLATE ");
                    printer.push(&name);
                });
            }
        }
    }

    /// A column; `whole` where a whole row is a field by itself, and must say that it is not its fields.
    pub(super) fn column(&mut self, id: ColumnId, ty: SqlType, whole: bool) {
        let meaning = match self.scope {
            Scope::Words(words) => match words.meanings.and_then(|meanings| meanings.get(&id)) {
                None => {
                    let text = (words.column)(id);
                    return self.push(&text);
                }
                known => known,
            },
            Scope::Query(analysed) => analysed.columns.get(&id),
        };
        match meaning {
            Some(Meaning::Item { level, item, column }) => self.item_column(*level, *item, *column),
            Some(Meaning::System { level, item, name }) => {
                self.item_prefix(*level, *item);
                self.push(name);
            }
            Some(Meaning::WholeRow { level, item }) => {
                self.item_prefix(*level, *item);
                self.push("*");
                if whole {
                    self.type_label(ty);
                }
            }
            Some(Meaning::Aggregate(call)) => self.aggregate(call),
            Some(Meaning::Window { call, window, .. }) => self.window_call(call, *window),
            Some(Meaning::Grouping(arguments)) => self.named("GROUPING", arguments),
            Some(Meaning::Expression(expression)) => self.expression(expression, true),
            Some(Meaning::NamedCall { call, names }) => self.named_call(call, names),
            None => self.push("?column?"),
        }
    }

    /// A value in a row or list where a whole row needs its type.
    pub(super) fn field_value(&mut self, expression: &Expr, implicit: bool) {
        match expression {
            Expr::Column { id, ty } => self.column(*id, *ty, true),
            other => self.expression(other, implicit),
        }
    }

    /// An operand, in pretty style parenthesised where its place asks for it.
    pub(super) fn operand(&mut self, operand: &Expr, implicit: bool, parent: Parent) {
        let needs = self.style.pretty && !is_simple(operand, parent);
        self.bracketed(needs, |printer| printer.expression(operand, implicit));
    }

    pub(super) fn bracketed(&mut self, brackets: bool, print: impl FnOnce(&mut Self)) {
        if brackets {
            self.push("(");
        }
        print(self);
        if brackets {
            self.push(")");
        }
    }

    pub(super) fn list<'e>(&mut self, items: impl IntoIterator<Item = &'e Expr>, implicit: bool) {
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.expression(item, implicit);
        }
    }

    fn fields(&mut self, items: &[Expr]) {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.field_value(item, true);
        }
    }

    pub(super) fn named(&mut self, name: &str, arguments: &[Expr]) {
        self.push(name);
        self.push("(");
        self.list(arguments, true);
        self.push(")");
    }

    fn infix(&mut self, left: &Expr, words: &str, right: &Expr) {
        self.wrapped(|printer| {
            printer.operand(left, true, Parent::Other);
            printer.push(words);
            printer.operand(right, true, Parent::Other);
        });
    }

    fn negation(&mut self, print: impl FnOnce(&mut Self)) {
        self.wrapped(|printer| {
            printer.push("NOT ");
            print(printer);
        });
    }

    fn operator(&mut self, name: &str, binary: Option<&str>, arguments: &[Expr]) {
        self.wrapped(|printer| match arguments {
            [left, right] => {
                printer.operand(left, true, Parent::Operator { name: binary, is_left: true });
                printer.push(&format!(" {name} "));
                printer.operand(right, true, Parent::Operator { name: binary, is_left: false });
            }
            others => {
                printer.push(&format!("{name} "));
                others.iter().for_each(|operand| printer.operand(operand, true, Parent::Operator { name: None, is_left: false }));
            }
        });
    }

    fn connective(&mut self, terms: &[Expr], word: &str, parent: Parent) {
        self.wrapped(|printer| {
            for (at, term) in terms.iter().enumerate() {
                if at > 0 {
                    printer.push(word);
                }
                printer.operand(term, false, parent);
            }
        });
    }

    fn test(&mut self, operand: &Expr, implicit: bool, words: &str) {
        self.wrapped(|printer| {
            printer.operand(operand, implicit, Parent::Other);
            printer.push(words);
        });
    }

    fn row(&mut self, fields: &[Expr], ty: SqlType) {
        self.push("ROW(");
        self.fields(fields);
        self.push(")");
        if ty.oid != Oid::RECORD {
            self.type_label(ty);
        }
    }

    fn array_comparison(&mut self, left: &Expr, operator: &str, all: bool, array: &Expr) {
        self.wrapped(|printer| {
            printer.operand(left, true, Parent::Other);
            printer.push(&format!(" {operator} {} (", if all { "ALL" } else { "ANY" }));
            printer.operand(array, true, Parent::Other);
            // Without a cast the subquery would be read as what ANY compares with.
            if let (Scope::Query(_), Expr::Subquery(subquery)) = (printer.scope, array)
                && matches!(subquery.kind, SubqueryKind::Scalar)
            {
                printer.type_label(subquery.ty);
            }
            printer.push(")");
        });
    }

    /// Equality of rows is that of their columns; an ordering compares them as rows.
    fn row_comparison(&mut self, left: &[Expr], operator: RowOperator, right: &[Expr]) {
        let name = row_operator(operator);
        if let (Scope::Query(analysed), Some(subquery)) = (self.scope, row_subquery(right))
            && let Some(known) = analysed.subqueries.get(&subquery.plan)
        {
            self.push("((");
            self.list(left, true);
            self.push(&format!(") {name} ("));
            self.nested_query(&known.query, false);
            return self.push("))");
        }
        let word = match operator {
            RowOperator::Equal => " AND ",
            RowOperator::NotEqual => " OR ",
            _ => {
                self.push("(ROW(");
                self.fields(left);
                self.push(&format!(") {name} ROW("));
                self.fields(right);
                return self.push("))");
            }
        };
        self.wrapped(|printer| {
            for (at, (left, right)) in left.iter().zip(right).enumerate() {
                if at > 0 {
                    printer.push(word);
                }
                printer.infix(left, &format!(" {name} "), right);
            }
        });
    }

    fn case(&mut self, branches: &[(Expr, Expr)], otherwise: &Expr, simple: bool) {
        self.keyword("CASE", 0, INDENT_FIELD, 0);
        let compared: Option<Vec<(&Expr, &Expr)>> =
            if simple { branches.iter().map(|(condition, _)| sides(condition)).collect() } else { None };
        if let Some((subject, _)) = compared.as_ref().and_then(|sides| sides.first()) {
            self.push(" ");
            self.expression(strip_implicit(subject), true);
        }
        let blank = if self.style.indent { "" } else { " " };
        for (at, (condition, result)) in branches.iter().enumerate() {
            self.push(blank);
            self.keyword("WHEN ", 0, 0, 0);
            match &compared {
                Some(sides) => self.expression(sides[at].1, false),
                None => self.expression(condition, false),
            }
            self.push(" THEN ");
            self.expression(result, true);
        }
        self.push(blank);
        self.keyword("ELSE ", 0, 0, 0);
        self.expression(otherwise, true);
        self.push(blank);
        self.keyword("END", -INDENT_FIELD, 0, 0);
    }

    fn cast(&mut self, operand: &Expr, ty: SqlType, method: &CastMethod, shown: bool) {
        let parent = match method {
            CastMethod::Function(_) | CastMethod::Length => Parent::Special,
            _ => Parent::Other,
        };
        if !shown {
            return match method {
                CastMethod::Domain { .. } => self.expression(operand, false),
                _ => self.operand(operand, false, parent),
            };
        }
        if self.style.reparsed
            && let Expr::Array { elements, multidimensional, .. } = operand
            && !elements.is_empty()
            && self.array_converted(elements, *multidimensional, ty)
        {
            return;
        }
        match operand {
            Expr::Constant { value, ty: own } if own.oid == ty.oid && own.typmod == -1 => {
                self.constant(value, *own, Label::Never);
            }
            _ => self.bracketed(!self.style.pretty, |printer| printer.operand(operand, false, parent)),
        }
        self.type_label(ty);
    }

    /// `ARRAY[...]` whose elements are converted each; false, and nothing printed, when `ty` is no array type.
    fn array_converted(&mut self, elements: &[Expr], multidimensional: bool, ty: SqlType) -> bool {
        let array = self.names.base_type(ty);
        let Some(element) = self.names.array_element(array.oid) else { return false };
        let each = if multidimensional { array } else { element.with_typmod(array.typmod) };
        let start = self.out.len();
        self.push("ARRAY[");
        for (at, item) in elements.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            let converted = item.ty() == each;
            match item {
                Expr::Array { elements, multidimensional, .. } if !converted => {
                    self.array_converted(elements, *multidimensional, each);
                }
                _ if converted => self.expression(item, true),
                _ => self.cast(item, each, &CastMethod::Relabel, true),
            }
        }
        self.push("]");
        if array.oid != ty.oid {
            self.out.insert(start, '(');
            self.push(")");
            self.type_label(ty);
        }
        true
    }

    fn subscripts(&mut self, operand: &Expr, subscripts: &[Subscript], implicit: bool) {
        let bare = matches!(operand, Expr::Field { .. }) || self.is_plain_column(operand);
        self.bracketed(!bare, |printer| printer.expression(operand, implicit));
        for subscript in subscripts {
            self.push("[");
            match subscript {
                Subscript::Index(index) => self.expression(index, false),
                Subscript::Slice(lower, upper) => {
                    lower.iter().for_each(|bound| self.expression(bound, false));
                    self.push(":");
                    upper.iter().for_each(|bound| self.expression(bound, false));
                }
            }
            self.push("]");
        }
    }

    /// Whether it prints as a name, and not as the call that a column may stand for.
    pub(super) fn is_plain_column(&self, expression: &Expr) -> bool {
        let Expr::Column { id, .. } = expression else { return matches!(expression, Expr::Parameter { .. }) };
        match self.scope {
            Scope::Words(_) => true,
            Scope::Query(analysed) => {
                matches!(analysed.columns.get(id), Some(Meaning::Item { .. } | Meaning::System { .. } | Meaning::WholeRow { .. }))
            }
        }
    }

    fn field(&mut self, operand: &Expr, field: usize) {
        let name = self.field_name(operand, field);
        let bare = matches!(operand, Expr::Subscript { .. } | Expr::Field { .. });
        self.bracketed(!bare, |printer| printer.expression(operand, true));
        self.push(&format!(".{}", quote_identifier(&name)));
    }

    fn field_name(&self, operand: &Expr, field: usize) -> String {
        let ty = self.names.base_type(operand.ty()).oid;
        let of_type = || self.names.composite_fields(ty).and_then(|(names, _)| names.get(field).map(|name| name.to_string()));
        let of_row = || match operand {
            Expr::Row { names, .. } => names.get(field).map(|name| name.to_string()),
            Expr::Call { function, .. } => out_name(function, field),
            Expr::Column { id, .. } => match self.scope {
                Scope::Query(analysed) => match analysed.columns.get(id)? {
                    Meaning::WholeRow { level, item } => self.item_column_name(*level, *item, field),
                    Meaning::Expression(Expr::Call { function, .. }) => out_name(function, field),
                    _ => None,
                },
                Scope::Words(_) => None,
            },
            _ => None,
        };
        of_type().or_else(of_row).unwrap_or_else(|| format!("f{}", field + 1))
    }

    fn session_value(&mut self, value: SessionValue, ty: SqlType) {
        let name = match value {
            SessionValue::CurrentDate => "CURRENT_DATE",
            SessionValue::CurrentTime => "CURRENT_TIME",
            SessionValue::CurrentTimestamp => "CURRENT_TIMESTAMP",
            SessionValue::LocalTime => "LOCALTIME",
            SessionValue::LocalTimestamp => "LOCALTIMESTAMP",
            SessionValue::CurrentUser => "CURRENT_USER",
            SessionValue::CurrentRole => "CURRENT_ROLE",
            SessionValue::User => "USER",
            SessionValue::SessionUser => "SESSION_USER",
            SessionValue::CurrentCatalog => "CURRENT_CATALOG",
            SessionValue::CurrentSchema => "CURRENT_SCHEMA",
        };
        self.push(name);
        if ty.typmod >= 0 {
            self.push(&format!("({})", ty.typmod));
        }
    }

    fn subquery(&mut self, subquery: &Subquery) {
        let analysed = match self.scope {
            Scope::Words(words) => {
                let plan = (words.subquery)(subquery);
                return match &subquery.kind {
                    SubqueryKind::Compare { .. } if subquery.outer.is_empty() => self.push(&format!("(hashed {plan})")),
                    _ if plan.starts_with('$') => self.push(&plan),
                    _ => self.push(&format!("({plan})")),
                };
            }
            Scope::Query(analysed) => analysed,
        };
        let Some(known) = analysed.subqueries.get(&subquery.plan) else { return self.push("(?)") };
        match &subquery.kind {
            SubqueryKind::Scalar | SubqueryKind::Row => {
                self.push("(");
                self.nested_query(&known.query, false);
                self.push(")");
            }
            SubqueryKind::Array { .. } => {
                self.push("ARRAY(");
                self.nested_query(&known.query, false);
                self.push(")");
            }
            SubqueryKind::Exists => {
                self.push("(EXISTS (");
                self.nested_query(&known.query, false);
                self.push("))");
            }
            SubqueryKind::Compare { left, all, .. } => self.quantified(left, *all, known),
        }
    }

    fn quantified(&mut self, left: &[Expr], all: bool, known: &'p AnalysedSubquery) {
        self.push("(");
        self.bracketed(left.len() != 1, |printer| printer.list(left, true));
        match (known.operator.as_deref().unwrap_or("="), all) {
            ("=", false) => self.push(" IN "),
            (operator, all) => self.push(&format!(" {operator} {} ", if all { "ALL" } else { "ANY" })),
        }
        self.push("(");
        self.nested_query(&known.query, false);
        self.push("))");
    }
}

fn is_row(operand: &Expr) -> bool {
    matches!(operand, Expr::Row { .. })
}

/// The two sides of a comparison that a simple CASE makes.
fn sides(condition: &Expr) -> Option<(&Expr, &Expr)> {
    match condition {
        Expr::Call { written: Written::Operator(_), arguments, .. } => match &arguments[..] {
            [left, right] => Some((left, right)),
            _ => None,
        },
        _ => None,
    }
}

fn strip_implicit(expression: &Expr) -> &Expr {
    match expression {
        Expr::Cast { operand, explicit: false, .. } => strip_implicit(operand),
        other => other,
    }
}

/// The subquery whose row these are the fields of.
pub(super) fn row_subquery(fields: &[Expr]) -> Option<&Subquery> {
    let Expr::Field { operand, .. } = strip_implicit(fields.first()?) else { return None };
    match &**operand {
        Expr::Subquery(subquery) if matches!(subquery.kind, SubqueryKind::Row) => Some(subquery),
        _ => None,
    }
}

fn out_name(function: &catalog::builtin::BuiltinFunction, field: usize) -> Option<String> {
    let (names, modes) = (function.argument_names.as_ref()?, function.argument_modes.as_ref()?);
    let mut given = names.iter().zip(modes).filter(|(_, mode)| matches!(mode, 'o' | 'b' | 't'));
    given.nth(field).map(|(name, _)| name.to_string())
}

fn operator_name(function: Oid, operator: Option<Oid>) -> &'static str {
    let operator = operator.or_else(|| comparison::of(function).map(|known| known.operator));
    operator.and_then(|oid| builtins().operator(oid)).map_or("?", |operator| operator.name)
}

pub(super) fn row_operator(operator: RowOperator) -> &'static str {
    match operator {
        RowOperator::Equal => "=",
        RowOperator::NotEqual => "<>",
        RowOperator::Less => "<",
        RowOperator::LessOrEqual => "<=",
        RowOperator::Greater => ">",
        RowOperator::GreaterOrEqual => ">=",
    }
}
