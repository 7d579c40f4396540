//! The target list: expressions with their names, `*` expanded (parse_target.c).

use std::{ops::Range, sync::Arc};

use expr::Expr;
use pg_query::protobuf::{ColumnRef, Node, ResTarget, node::Node as Ast};
use types::{Error, Oid, Result, SqlState};

use crate::{
    ExpressionKind, ast, column_name,
    state::{Binder, Typed},
};

/// One output expression of a SELECT or RETURNING; junk ones serve ORDER BY and DISTINCT ON only.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) expr: Expr,
    pub(crate) name: Arc<str>,
    pub(crate) location: i32,
    pub(crate) junk: bool,
    /// Which of the level's recorded references it made.
    pub(crate) references: Range<usize>,
}

impl Binder<'_> {
    /// Binds a target list, `*` expanded.
    pub(crate) fn bind_targets(&mut self, nodes: &[Node], kind: ExpressionKind) -> Result<Vec<Target>> {
        let mut targets = Vec::with_capacity(nodes.len());
        for node in nodes {
            let Ast::ResTarget(target) = ast::content(node)? else { return Err(Error::internal("a target list holds targets")) };
            self.bind_target(target, kind, &mut targets)?;
        }
        Ok(targets)
    }

    fn bind_target(&mut self, target: &ResTarget, kind: ExpressionKind, targets: &mut Vec<Target>) -> Result<()> {
        let value = ast::required(&target.val)?;
        let before = self.level().references.len();
        let previous = std::mem::replace(&mut self.level_mut().kind, kind);
        let expanded = self.expand_star(value);
        let bound = match expanded {
            Ok(Some(columns)) => {
                for (name, typed) in columns {
                    let after = self.level().references.len();
                    let at = typed.location;
                    targets.push(Target { expr: typed.expr, name, location: at, junk: false, references: before..after });
                }
                Ok(())
            }
            Ok(None) => self.bind_expr(value).map(|typed| {
                let name = match target.name.as_str() {
                    "" => column_name::of_expression(value),
                    name => Arc::from(name),
                };
                let after = self.level().references.len();
                targets.push(Target { location: typed.location, expr: typed.expr, name, junk: false, references: before..after });
            }),
            Err(error) => Err(error),
        };
        self.level_mut().kind = previous;
        bound
    }

    /// The columns that `*`, `t.*` or `(row).*` stands for; None for anything else.
    pub(crate) fn expand_star(&mut self, node: &Node) -> Result<Option<Vec<(Arc<str>, Typed)>>> {
        match &node.node {
            Some(Ast::ColumnRef(reference)) if matches!(last(&reference.fields), Some(Ast::AStar(_))) => {
                self.expand_column_star(reference).map(Some)
            }
            Some(Ast::AIndirection(indirection)) if matches!(last(&indirection.indirection), Some(Ast::AStar(_))) => {
                let mut inner = indirection.clone();
                inner.indirection.pop();
                let value =
                    if inner.indirection.is_empty() { self.bind_child(&inner.arg)? } else { self.bind_indirection(&inner)? };
                self.expand_row(value).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn expand_column_star(&mut self, reference: &ColumnRef) -> Result<Vec<(Arc<str>, Typed)>> {
        let location = reference.location;
        let names = ast::names(&reference.fields);
        match names[..] {
            [] => self.expand_all(location),
            [table] => self.expand_entry(None, table, location),
            [schema, table] | [_, schema, table] => self.expand_entry(Some(schema), table, location),
            _ => {
                let message = format!("improper qualified name (too many dotted names): {}.*", names.join("."));
                Err(Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(location)))
            }
        }
    }

    /// `*`: all visible columns of the innermost level.
    fn expand_all(&mut self, location: i32) -> Result<Vec<(Arc<str>, Typed)>> {
        let index = self.levels.len() - 1;
        let mut columns = Vec::new();
        let items = self.level().namespace.clone();
        let mut any = false;
        for item in items.iter().filter(|item| item.columns_visible && !item.lateral_only) {
            any = true;
            columns.extend(self.entry_columns(index, item.entry, location));
        }
        if !any {
            let message = "SELECT * with no tables specified is not valid";
            return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(location)));
        }
        Ok(columns)
    }

    fn expand_entry(&mut self, schema: Option<&str>, table: &str, location: i32) -> Result<Vec<(Arc<str>, Typed)>> {
        match self.find_qualified_entry(schema, table, location)? {
            Some((level, entry)) => Ok(self.entry_columns(level, entry, location)),
            None => Err(self.missing_relation(schema, table, location)),
        }
    }

    /// All columns of an entry as expressions.
    pub(crate) fn entry_columns(&mut self, level: usize, entry: usize, location: i32) -> Vec<(Arc<str>, Typed)> {
        self.note_read_all(level, entry);
        let columns: Vec<_> =
            self.levels[level].entries[entry].columns.iter().map(|column| (column.name.clone(), column.expr.clone())).collect();
        columns
            .into_iter()
            .map(|(name, expr)| {
                self.note_reference(level, &expr, location);
                (name, Typed::new(expr, location))
            })
            .collect()
    }

    /// `(row).*`
    fn expand_row(&mut self, value: Typed) -> Result<Vec<(Arc<str>, Typed)>> {
        let Some((names, types)) = self.row_fields(&value.expr) else {
            let position = value.position();
            return Err(match value.ty().oid {
                Oid::RECORD => Error::new(SqlState::UNDEFINED_COLUMN, "record type has not been registered").at(position),
                oid => {
                    let message = format!("type {} is not composite", self.names.format_type_oid(oid));
                    Error::new(SqlState::WRONG_OBJECT_TYPE, message).at(position)
                }
            });
        };
        let location = value.location;
        let fields = names.iter().zip(types).enumerate();
        Ok(fields
            .map(|(at, (name, ty))| (name.clone(), Typed::new(self.field_of(value.expr.clone(), at, ty), location)))
            .collect())
    }
}

fn last(nodes: &[Node]) -> Option<&Ast> {
    nodes.last().and_then(|node| node.node.as_ref())
}
