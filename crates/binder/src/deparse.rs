//! SQL text of bound expressions, qualified so that it binds again under an empty search path: stored defaults and constraints.
//!
//! The syntax tree is printed, read again and bound; binding records where names need a schema, and the text is mended at those places.

use catalog::type_names::{quote_identifier, quote_literal};
use pg_query::{
    DeparseOptions,
    protobuf::{self, Node, node::Node as Ast},
};
use plan::logical::Given;
use types::{Error, Result, SqlType};

use crate::{Environment, ExpressionKind, parse, state::Binder};

/// A change to the printed text that binding has found necessary.
#[derive(Clone, Debug)]
pub(crate) enum Mending {
    /// `name` becomes `schema.name`.
    Qualify { location: i32, schema: String },
    /// A string literal becomes another.
    Literal { location: i32, text: String },
}

impl Mending {
    fn location(&self) -> i32 {
        match self {
            Mending::Qualify { location, .. } | Mending::Literal { location, .. } => *location,
        }
    }
}

/// Text of an expression over the given columns.
pub fn deparse_expression(
    node: &Node,
    kind: ExpressionKind,
    columns: &[(&str, Given)],
    environment: &Environment,
) -> Result<String> {
    deparse_with_value(node, kind, columns, None, environment)
}

/// Text of a domain's check, in which VALUE has the given type.
pub fn deparse_domain_check(node: &Node, value: SqlType, environment: &Environment) -> Result<String> {
    deparse_with_value(node, ExpressionKind::DomainCheck, &[], Some(value), environment)
}

fn deparse_with_value(
    node: &Node,
    kind: ExpressionKind,
    columns: &[(&str, Given)],
    value: Option<SqlType>,
    environment: &Environment,
) -> Result<String> {
    let target = protobuf::ResTarget { val: Some(Box::new(node.clone())), ..protobuf::ResTarget::default() };
    let select = protobuf::SelectStmt {
        target_list: vec![Node { node: Some(Ast::ResTarget(Box::new(target))) }],
        limit_option: protobuf::LimitOption::Default as i32,
        op: protobuf::SetOperation::SetopNone as i32,
        ..protobuf::SelectStmt::default()
    };
    let printed = print(&Node { node: Some(Ast::SelectStmt(Box::new(select))) })?;
    let text = printed.strip_prefix("SELECT ").unwrap_or(&printed);
    // Locations are those of the text behind the word SELECT that the parser is given.
    let reparsed = parse::parse_expression(text)?;
    let mut binder = Binder::for_expression(environment, kind, columns, value)?;
    binder.mendings = Some(Vec::new());
    binder.bind_kind(&reparsed, kind)?;
    let shift = "SELECT ".len() as i32;
    Ok(mend(text, binder.mendings.take().unwrap_or_default(), shift))
}

pub(crate) fn print(node: &Node) -> Result<String> {
    node.deparse(DeparseOptions::default()).map_err(|error| Error::internal(format!("a syntax tree does not print: {error}")))
}

/// Applies changes from the end of the text to its beginning.
fn mend(text: &str, mut mendings: Vec<Mending>, shift: i32) -> String {
    let mut mended = text.to_string();
    mendings.sort_by_key(|mending| std::cmp::Reverse(mending.location()));
    mendings.dedup_by_key(|mending| mending.location());
    for mending in mendings {
        let Some(at) = usize::try_from(mending.location() - shift).ok().filter(|at| mended.is_char_boundary(*at)) else {
            continue;
        };
        match mending {
            Mending::Qualify { schema, .. } => mended.insert_str(at, &format!("{}.", quote_identifier(&schema))),
            Mending::Literal { text, .. } => {
                if let Some(length) = literal_length(&mended[at..]) {
                    mended.replace_range(at..at + length, &quote_literal(&text));
                }
            }
        }
    }
    mended
}

/// How long a plain string literal is.
fn literal_length(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let mut rest = inside.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        if c != '\'' {
            continue;
        }
        match rest.peek() {
            Some((_, '\'')) => {
                rest.next();
            }
            _ => return Some(at + 2),
        }
    }
    None
}

impl Binder<'_> {
    /// Notes a change for the text that is being printed, if one is.
    pub(crate) fn mend_text(&mut self, location: i32, mending: impl FnOnce(&Binder<'_>) -> Option<Mending>) {
        if self.mendings.is_some()
            && location >= 0
            && let Some(mending) = mending(self)
            && let Some(mendings) = &mut self.mendings
        {
            mendings.push(mending);
        }
    }
}
