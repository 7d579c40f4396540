//! Bound expressions.

use catalog::builtin::BuiltinFunction;
use types::{Datum, Oid, SqlType};

/// Names a column that some operator of a statement's plan produces; unique within the statement, subqueries included.
/// An expression may mention columns of its input and, inside a subquery, columns of the queries around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub u32);

/// Names a subquery of a statement: its place in `plan::Statement::subplans`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubplanId(pub u32);

/// A bound expression. Types are on the nodes that choose them; [`Expr::ty`] gives any node's.
#[derive(Clone, Debug)]
pub enum Expr {
    Constant {
        value: Datum,
        ty: SqlType,
    },
    Column {
        id: ColumnId,
        ty: SqlType,
    },
    /// `$n`, counted from 0.
    Parameter {
        index: usize,
        ty: SqlType,
    },
    /// A function or operator call; operators are their functions. VARIADIC arguments are already one array.
    Call {
        function: &'static BuiltinFunction,
        arguments: Vec<Expr>,
        ty: SqlType,
        /// Collation the function runs under; zero when it does not matter.
        collation: Oid,
        /// How it prints.
        written: Written,
        /// 1-based character position in the statement, for run-time errors that PostgreSQL gives a position.
        position: Option<usize>,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull {
        operand: Box<Expr>,
        negated: bool,
    },
    /// `x IS [NOT] TRUE / FALSE / UNKNOWN`; `value` None is UNKNOWN.
    BooleanTest {
        operand: Box<Expr>,
        value: Option<bool>,
        negated: bool,
    },
    /// `left IS [NOT] DISTINCT FROM right` by the equality function.
    Distinct {
        left: Box<Expr>,
        right: Box<Expr>,
        equality: &'static BuiltinFunction,
        negated: bool,
    },
    /// Searched CASE; `CASE x WHEN ...` is bound to comparisons with x.
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Box<Expr>,
        ty: SqlType,
        /// Written as `CASE x WHEN ...`.
        simple: bool,
    },
    Coalesce {
        arguments: Vec<Expr>,
        ty: SqlType,
    },
    NullIf {
        left: Box<Expr>,
        right: Box<Expr>,
        equality: &'static BuiltinFunction,
    },
    /// GREATEST or LEAST
    Extreme {
        arguments: Vec<Expr>,
        greatest: bool,
        ty: SqlType,
    },
    Array {
        elements: Vec<Expr>,
        /// The array's type; nested constructors make further dimensions.
        ty: SqlType,
        element_type: SqlType,
        multidimensional: bool,
    },
    Row {
        fields: Vec<Expr>,
        names: std::sync::Arc<[std::sync::Arc<str>]>,
        ty: SqlType,
    },
    /// `left operator ANY/ALL (array)`; IN over constants is bound to it.
    ArrayCompare {
        left: Box<Expr>,
        array: Box<Expr>,
        function: &'static BuiltinFunction,
        all: bool,
        collation: Oid,
        operator: Option<Oid>,
    },
    /// Row-wise comparison `(a, b) < (c, d)`, one function a column: for =, <> all columns' results are combined; for the orderings the
    /// first unequal pair decides.
    RowCompare {
        left: Vec<Expr>,
        right: Vec<Expr>,
        operator: RowOperator,
        equality: Vec<&'static BuiltinFunction>,
        ordering: Vec<&'static BuiltinFunction>,
    },
    Cast {
        operand: Box<Expr>,
        method: CastMethod,
        ty: SqlType,
        /// Written by the user (so that printing shows it and length coercion truncates instead of failing).
        explicit: bool,
        position: Option<usize>,
    },
    /// `array[1]`, `array[1:2]`, `json['key']`; a slice has two bounds per dimension, absent ones None.
    Subscript {
        operand: Box<Expr>,
        subscripts: Vec<Subscript>,
        ty: SqlType,
    },
    /// `array[subscripts] := value` in INSERT and UPDATE.
    SubscriptAssign {
        operand: Box<Expr>,
        subscripts: Vec<Subscript>,
        value: Box<Expr>,
        ty: SqlType,
    },
    /// `(row).field`; the position of the field.
    Field {
        operand: Box<Expr>,
        field: usize,
        ty: SqlType,
    },
    /// `row.field := value`
    FieldAssign {
        operand: Box<Expr>,
        field: usize,
        value: Box<Expr>,
        ty: SqlType,
    },
    Subquery(Box<Subquery>),
    /// Values only the session knows: CURRENT_USER, CURRENT_DATE and the like.
    Session {
        value: SessionValue,
        ty: SqlType,
    },
    /// The value being checked by a domain's constraint.
    DomainValue {
        ty: SqlType,
    },
    /// GROUPING(...): which of these grouping expressions are absent from the current grouping set; only above an aggregate, that computes it.
    Collate {
        operand: Box<Expr>,
        collation: Oid,
    },
}

/// How a call was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// `f(a, b)`
    Call,
    /// `a + b`: its pg_operator.oid.
    Operator(Oid),
    /// In a syntax that SQL has for it alone: `EXTRACT(year FROM d)`.
    Syntax,
    /// `f(a, VARIADIC b)`
    Variadic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOperator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// One subscript of an array element or slice.
#[derive(Clone, Debug)]
pub enum Subscript {
    Index(Expr),
    Slice(Option<Expr>, Option<Expr>),
}

/// How a cast converts.
#[derive(Clone, Debug)]
pub enum CastMethod {
    /// Same representation: varchar to text.
    Relabel,
    /// A pg_cast function of one, two (typmod) or three (explicit) parameters.
    Function(&'static BuiltinFunction),
    /// Through the text form.
    InputOutput,
    /// Only the modifier is applied: numeric to numeric(8,2), text to varchar(3).
    Length,
    /// Element by element, each by this method.
    Array(Box<CastMethod>, SqlType),
    /// To a domain: the base type's conversion has been made below; checks run here. Each check is its name and a boolean
    /// expression over [`Expr::DomainValue`].
    Domain { domain: std::sync::Arc<DomainName>, not_null: bool, checks: Vec<(std::sync::Arc<str>, Expr)> },
    /// A row value to another row type, field by field.
    Row(Vec<CastMethod>),
    /// One after the other; the first makes a value of the type between.
    Both { first: Box<CastMethod>, between: SqlType, then: Box<CastMethod> },
}

/// How errors name a domain.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainName {
    pub schema: String,
    pub name: String,
    /// As messages print it: with the schema where the search path asks for it.
    pub printed: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionValue {
    CurrentDate,
    CurrentTime,
    CurrentTimestamp,
    LocalTime,
    LocalTimestamp,
    CurrentUser,
    CurrentRole,
    User,
    SessionUser,
    CurrentCatalog,
    CurrentSchema,
}

/// A subquery inside an expression. Columns of the queries around it that it mentions are its correlation.
#[derive(Clone, Debug)]
pub struct Subquery {
    pub plan: SubplanId,
    pub kind: SubqueryKind,
    pub ty: SqlType,
    /// Columns of the outer queries that the subquery reads; empty when it can run once.
    pub outer: Vec<(ColumnId, SqlType)>,
}

#[derive(Clone, Debug)]
pub enum SubqueryKind {
    /// One column, at most one row (21000 otherwise).
    Scalar,
    Exists,
    /// `left operator ANY/ALL (subquery)`; IN is `= ANY`. One comparison per column: its function applied to the left expression and
    /// the subquery's column; several are combined with AND (for <> with OR).
    Compare {
        left: Vec<Expr>,
        functions: Vec<&'static BuiltinFunction>,
        all: bool,
        combine_or: bool,
    },
    /// ARRAY(subquery)
    Array {
        element_type: SqlType,
    },
    /// `UPDATE ... SET (a, b) = (subquery)`: all columns as a record, NULL when no row.
    Row,
}

/// One key of an ordering.
#[derive(Clone, Debug)]
pub struct SortKey {
    pub expression: Expr,
    pub descending: bool,
    pub nulls_first: bool,
    /// USING operator's ordering is descending or ascending; collation of text keys, zero when it does not matter.
    pub collation: Oid,
}

impl Expr {
    /// The type of the expression's values.
    pub fn ty(&self) -> SqlType {
        match self {
            Expr::Constant { ty, .. }
            | Expr::Column { ty, .. }
            | Expr::Parameter { ty, .. }
            | Expr::Call { ty, .. }
            | Expr::Case { ty, .. }
            | Expr::Coalesce { ty, .. }
            | Expr::Extreme { ty, .. }
            | Expr::Array { ty, .. }
            | Expr::Row { ty, .. }
            | Expr::Cast { ty, .. }
            | Expr::Subscript { ty, .. }
            | Expr::SubscriptAssign { ty, .. }
            | Expr::Field { ty, .. }
            | Expr::FieldAssign { ty, .. }
            | Expr::Session { ty, .. }
            | Expr::DomainValue { ty } => *ty,
            Expr::And(_)
            | Expr::Or(_)
            | Expr::Not(_)
            | Expr::IsNull { .. }
            | Expr::BooleanTest { .. }
            | Expr::Distinct { .. }
            | Expr::ArrayCompare { .. }
            | Expr::RowCompare { .. } => SqlType::BOOL,
            Expr::NullIf { left, .. } => left.ty(),
            Expr::Collate { operand, .. } => operand.ty(),
            Expr::Subquery(subquery) => subquery.ty,
        }
    }

    pub fn constant(value: Datum, ty: SqlType) -> Expr {
        Expr::Constant { value, ty }
    }

    pub fn null(ty: SqlType) -> Expr {
        Expr::Constant { value: Datum::Null, ty }
    }

    /// Calls `visit` on every direct child expression, a subquery's left sides included (not its plan).
    pub fn for_each_child<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match self {
            Expr::Constant { .. }
            | Expr::Column { .. }
            | Expr::Parameter { .. }
            | Expr::Session { .. }
            | Expr::DomainValue { .. } => {}
            Expr::Call { arguments, .. } | Expr::Coalesce { arguments, .. } | Expr::Extreme { arguments, .. } => {
                arguments.iter().for_each(visit);
            }
            Expr::And(terms) | Expr::Or(terms) => terms.iter().for_each(visit),
            Expr::Not(operand)
            | Expr::IsNull { operand, .. }
            | Expr::BooleanTest { operand, .. }
            | Expr::Cast { operand, .. }
            | Expr::Field { operand, .. }
            | Expr::Collate { operand, .. } => visit(operand),
            Expr::Distinct { left, right, .. } | Expr::NullIf { left, right, .. } => {
                visit(left);
                visit(right);
            }
            Expr::Case { branches, otherwise, .. } => {
                for (condition, result) in branches {
                    visit(condition);
                    visit(result);
                }
                visit(otherwise);
            }
            Expr::Array { elements, .. } => elements.iter().for_each(visit),
            Expr::Row { fields, .. } => fields.iter().for_each(visit),
            Expr::ArrayCompare { left, array, .. } => {
                visit(left);
                visit(array);
            }
            Expr::RowCompare { left, right, .. } => left.iter().chain(right).for_each(visit),
            Expr::Subscript { operand, subscripts, .. } => {
                visit(operand);
                subscripts.iter().flat_map(Subscript::expressions).for_each(visit);
            }
            Expr::SubscriptAssign { operand, subscripts, value, .. } => {
                visit(operand);
                subscripts.iter().flat_map(Subscript::expressions).for_each(&mut *visit);
                visit(value);
            }
            Expr::FieldAssign { operand, value, .. } => {
                visit(operand);
                visit(value);
            }
            Expr::Subquery(subquery) => {
                if let SubqueryKind::Compare { left, .. } = &subquery.kind {
                    left.iter().for_each(visit);
                }
            }
        }
    }

    /// Like [`Expr::for_each_child`], for rewriting in place.
    pub fn for_each_child_mut(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        match self {
            Expr::Constant { .. }
            | Expr::Column { .. }
            | Expr::Parameter { .. }
            | Expr::Session { .. }
            | Expr::DomainValue { .. } => {}
            Expr::Call { arguments, .. } | Expr::Coalesce { arguments, .. } | Expr::Extreme { arguments, .. } => {
                arguments.iter_mut().for_each(visit);
            }
            Expr::And(terms) | Expr::Or(terms) => terms.iter_mut().for_each(visit),
            Expr::Not(operand)
            | Expr::IsNull { operand, .. }
            | Expr::BooleanTest { operand, .. }
            | Expr::Cast { operand, .. }
            | Expr::Field { operand, .. }
            | Expr::Collate { operand, .. } => visit(operand),
            Expr::Distinct { left, right, .. } | Expr::NullIf { left, right, .. } => {
                visit(left);
                visit(right);
            }
            Expr::Case { branches, otherwise, .. } => {
                for (condition, result) in branches {
                    visit(condition);
                    visit(result);
                }
                visit(otherwise);
            }
            Expr::Array { elements, .. } => elements.iter_mut().for_each(visit),
            Expr::Row { fields, .. } => fields.iter_mut().for_each(visit),
            Expr::ArrayCompare { left, array, .. } => {
                visit(left);
                visit(array);
            }
            Expr::RowCompare { left, right, .. } => left.iter_mut().chain(right).for_each(visit),
            Expr::Subscript { operand, subscripts, .. } => {
                visit(operand);
                subscripts.iter_mut().flat_map(Subscript::expressions_mut).for_each(visit);
            }
            Expr::SubscriptAssign { operand, subscripts, value, .. } => {
                visit(operand);
                subscripts.iter_mut().flat_map(Subscript::expressions_mut).for_each(&mut *visit);
                visit(value);
            }
            Expr::FieldAssign { operand, value, .. } => {
                visit(operand);
                visit(value);
            }
            Expr::Subquery(subquery) => {
                if let SubqueryKind::Compare { left, .. } = &mut subquery.kind {
                    left.iter_mut().for_each(visit);
                }
            }
        }
    }

    /// Every column the expression reads, its subqueries' correlation included.
    pub fn columns(&self) -> Vec<ColumnId> {
        fn collect(expression: &Expr, found: &mut Vec<ColumnId>) {
            match expression {
                Expr::Column { id, .. } => found.push(*id),
                Expr::Subquery(subquery) => found.extend(subquery.outer.iter().map(|(id, _)| *id)),
                _ => {}
            }
            expression.for_each_child(&mut |child| collect(child, found));
        }
        let mut found = Vec::new();
        collect(self, &mut found);
        found
    }

    /// Whether any node satisfies the test.
    pub fn any(&self, test: &dyn Fn(&Expr) -> bool) -> bool {
        if test(self) {
            return true;
        }
        let mut found = false;
        self.for_each_child(&mut |child| found = found || child.any(test));
        found
    }

    /// Whether it calls a volatile function, so that it must run once for every row, in order.
    pub fn is_volatile(&self) -> bool {
        self.any(&|node| matches!(node, Expr::Call { function, .. } if function.volatility == 'v'))
    }
}

impl Subscript {
    fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let (first, second) = match self {
            Subscript::Index(index) => (Some(index), None),
            Subscript::Slice(lower, upper) => (lower.as_ref(), upper.as_ref()),
        };
        first.into_iter().chain(second)
    }

    fn expressions_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        let (first, second) = match self {
            Subscript::Index(index) => (Some(index), None),
            Subscript::Slice(lower, upper) => (lower.as_mut(), upper.as_mut()),
        };
        first.into_iter().chain(second)
    }
}
