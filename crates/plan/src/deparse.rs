//! Bound expressions and analysed queries as SQL text, in PostgreSQL's canonical form (ruleutils): the one printer of EXPLAIN, defaults,
//! constraints, indexes and views.
//!
//! [`expression`] and [`function`] print expressions, [`constant`] literals, [`simple`] knows where the pretty style needs parentheses;
//! [`query`] and [`from`] print queries, in which [`names`] gives every relation and column a name that means only it.
//!
//! **Rule.** What is printed binds again to the same, under the search path whose names it was printed with.

use std::{collections::HashMap, sync::Arc};

use catalog::type_names::Names;
use expr::{ColumnId, Expr, SortKey, expression::Subquery};
use types::{FormatSettings, SqlType};

use crate::analysed::{Analysed, AnalysedWindow, Meaning};

mod constant;
mod expression;
mod from;
mod function;
mod names;
mod query;
mod simple;

/// How text is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Without the parentheses that precedence makes superfluous.
    pub pretty: bool,
    /// On several lines.
    pub indent: bool,
    /// Fields of a list go to lines of their own past this column; negative: never.
    pub wrap: i32,
    /// What prints the same again after it has been parsed: the parser moves a conversion of ARRAY[...] to its elements, so that it is printed
    /// there.
    pub reparsed: bool,
}

impl Style {
    pub const PLAIN: Style = Style { pretty: false, indent: false, wrap: -1, reparsed: false };
    /// What pg_get_expr and its kin use.
    pub const INDENTED: Style = Style { pretty: false, indent: true, wrap: 0, reparsed: false };
    pub const PRETTY: Style = Style { pretty: true, indent: true, wrap: 0, reparsed: false };
}

/// How columns and subqueries of an expression outside of a query print.
pub struct Vocabulary<'a> {
    pub column: &'a dyn Fn(ColumnId) -> String,
    /// The text of a subquery, `(SubPlan 1)`.
    pub subquery: &'a dyn Fn(&Subquery) -> String,
    /// Columns that stand for something else, which prints in their place.
    pub meanings: Option<&'a HashMap<ColumnId, Meaning>>,
}

/// Whom to ask what a column is.
#[derive(Clone, Copy)]
enum Scope<'p> {
    Words(&'p Vocabulary<'p>),
    Query(&'p Analysed),
}

const INDENT: i32 = 8;
const INDENT_JOIN: i32 = 4;
const INDENT_FIELD: i32 = 4;
/// Beyond this depth, levels are indented by less.
const DEEP: i32 = 40;

/// Runs a recursive step, on a new piece of stack when little is left.
fn deeper<T>(run: impl FnOnce() -> T) -> T {
    /// Room that must be left, and the size of each further piece: bytes.
    const RED_ZONE: usize = 192 * 1024;
    const PIECE: usize = 4 * 1024 * 1024;
    stacker::maybe_grow(RED_ZONE, PIECE, run)
}

/// A printer at work.
pub struct Printer<'p> {
    names: &'p Names,
    format: &'p FormatSettings,
    style: Style,
    scope: Scope<'p>,
    /// The names given to the levels around what is printed, outermost first.
    levels: Vec<names::LevelNames>,
    /// The queries of WITH around what is printed.
    cte_names: Vec<Arc<str>>,
    /// The windows of the level being printed.
    windows: &'p [AnalysedWindow],
    indent: i32,
    out: String,
}

/// Prints an expression whose columns the vocabulary names.
pub fn expression(
    expression: &Expr,
    names: &Names,
    format: &FormatSettings,
    style: Style,
    vocabulary: &Vocabulary<'_>,
) -> String {
    let mut printer = Printer::new(names, format, style, Scope::Words(vocabulary));
    printer.expression(expression, false);
    printer.out
}

/// Prints a sort key as EXPLAIN does.
pub fn sort_key(key: &SortKey, names: &Names, format: &FormatSettings, vocabulary: &Vocabulary<'_>) -> String {
    let mut printer = Printer::new(names, format, Style::PLAIN, Scope::Words(vocabulary));
    printer.explained_sort_key(key);
    printer.out
}

/// Prints a query without a final semicolon. `columns` are the names of its output, when they are not its own.
pub fn query(analysed: &Analysed, columns: Option<&[&str]>, names: &Names, format: &FormatSettings, style: Style) -> String {
    let mut printer = Printer::new(names, format, style, Scope::Query(analysed));
    printer.query(&analysed.query, columns, true);
    printer.out
}

impl<'p> Printer<'p> {
    fn new(names: &'p Names, format: &'p FormatSettings, style: Style, scope: Scope<'p>) -> Printer<'p> {
        Printer {
            names,
            format,
            style,
            scope,
            levels: Vec::new(),
            cte_names: Vec::new(),
            windows: &[],
            indent: 0,
            out: String::new(),
        }
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn push_identifier(&mut self, name: &str) {
        self.out.push_str(&catalog::type_names::quote_identifier(name));
    }

    fn type_label(&mut self, ty: SqlType) {
        let label = self.names.format_type(ty);
        self.push("::");
        self.push(&label);
    }

    /// A keyword that starts a line when indenting: the depth changes by `before`, the line has `extra` blanks more, and the depth
    /// changes by `after`.
    fn keyword(&mut self, word: &str, before: i32, after: i32, extra: i32) {
        if !self.style.indent {
            return self.push(word);
        }
        self.indent += before;
        self.trim_blanks();
        let depth = if self.indent < DEEP { self.indent.max(0) } else { (DEEP + (self.indent - DEEP) / (INDENT / 2)) % DEEP };
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', usize::try_from(depth + extra).unwrap_or(0)));
        self.push(word);
        self.indent = (self.indent + after).max(0);
    }

    fn trim_blanks(&mut self) {
        let kept = self.out.trim_end_matches(' ').len();
        self.out.truncate(kept);
    }

    /// What is printed by `print` alone.
    fn apart(&mut self, print: impl FnOnce(&mut Self)) -> String {
        let before = std::mem::take(&mut self.out);
        print(self);
        std::mem::replace(&mut self.out, before)
    }

    /// How long the line being written is, in bytes.
    fn line_length(&self) -> usize {
        self.out.len() - self.out.rfind('\n').map_or(0, |at| at + 1)
    }

    fn wraps(&self) -> bool {
        self.style.indent && self.style.wrap >= 0
    }

    fn exceeds_line(&self, more: usize) -> bool {
        self.line_length() + more > usize::try_from(self.style.wrap).unwrap_or(0)
    }

    /// In parentheses, except in pretty style.
    fn wrapped(&mut self, print: impl FnOnce(&mut Self)) {
        if self.style.pretty {
            return print(self);
        }
        self.push("(");
        print(self);
        self.push(")");
    }
}
