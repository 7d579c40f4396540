//! VALUES lists.

use std::sync::Arc;

use expr::Expr;
use pg_query::protobuf::{Node, SelectStmt};
use plan::{analysed::ItemSource, logical::LogicalPlan};
use types::{Error, Result, SqlState, SqlType};

use crate::{
    ExpressionKind,
    analysed_clauses::SelectClauses,
    ast, common_type,
    distinct::Distinct,
    group_by::Grouping,
    range_table::{EntryColumn, EntrySource, RangeEntry},
    state::{Binder, Typed},
    subquery::BoundQuery,
    target_list::Target,
};

impl Binder<'_> {
    /// `VALUES (...), (...) [ORDER BY ...] [LIMIT ...]`
    pub(crate) fn bind_values_statement(&mut self, select: &SelectStmt) -> Result<BoundQuery> {
        let mut rows = Vec::with_capacity(select.values_lists.len());
        for list in &select.values_lists {
            let row = self.bind_value_row(ast::list_items(list), ExpressionKind::Values)?;
            check_row_length(rows.first(), &row)?;
            rows.push(row);
        }
        let (rows, types) = self.unify_rows(rows)?;
        let mut entry_columns = Vec::with_capacity(types.len());
        let mut columns = Vec::with_capacity(types.len());
        for (at, ty) in types.iter().enumerate() {
            let given = self.new_given(*ty);
            columns.push(given);
            let name: Arc<str> = Arc::from(format!("column{}", at + 1));
            entry_columns.push(EntryColumn { name, expr: Expr::Column { id: given.id, ty: *ty }, origin: None });
        }
        let written = if self.analysing() { rows.clone() } else { Vec::new() };
        let plan = LogicalPlan::Values { rows, columns };
        let entry = RangeEntry::new(EntrySource::Names, Arc::from("*VALUES*"), entry_columns);
        let entry = self.add_entry(entry);
        self.note_item(entry, &None, false, || ItemSource::Values(written));
        self.level_mut().shape.from.push(entry);
        self.level_mut().show(entry);
        let level = self.levels.len() - 1;
        let mut targets: Vec<Target> = self
            .entry_columns(level, entry, -1)
            .into_iter()
            .map(|(name, typed)| Target { expr: typed.expr, name, location: -1, junk: false, references: 0..0 })
            .collect();
        let keys = self.bind_order_by(&select.sort_clause, &mut targets)?;
        let limits = self.bind_limits(select)?;
        let locks = self.bind_locking(select, &Grouping::default(), &Distinct::None)?;
        let analysed = self.analyse_select(SelectClauses {
            targets: &targets,
            filter: &None,
            grouping: &Grouping::default(),
            having: &None,
            keys: &keys,
            distinct: &Distinct::None,
            limits: &limits,
        });
        if keys.is_empty() && limits.is_empty() {
            let output = targets
                .iter()
                .map(|target| plan::OutputColumn {
                    id: match target.expr {
                        Expr::Column { id, .. } => id,
                        _ => self.new_column(),
                    },
                    name: target.name.clone(),
                    ty: target.expr.ty(),
                    origin: None,
                })
                .collect::<Vec<_>>();
            let locations = vec![-1; output.len()];
            return Ok(BoundQuery { plan, output, locations, analysed });
        }
        Ok(BoundQuery { analysed, ..self.finish_select(plan, targets, keys, Distinct::None, limits, locks) })
    }

    /// One row of a list.
    pub(crate) fn bind_value_row(&mut self, nodes: &[Node], kind: ExpressionKind) -> Result<Vec<Typed>> {
        let before = std::mem::replace(&mut self.level_mut().kind, kind);
        let row = self.bind_row_items(nodes);
        self.level_mut().kind = before;
        row
    }

    /// Rows with every column in its common type.
    fn unify_rows(&mut self, rows: Vec<Vec<Typed>>) -> Result<(Vec<Vec<Expr>>, Vec<SqlType>)> {
        let width = rows.first().map_or(0, Vec::len);
        let mut types = Vec::with_capacity(width);
        let names = self.names.clone();
        let mut columns: Vec<Vec<Typed>> = (0..width).map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows.iter() {
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value.clone());
            }
        }
        let height = rows.len();
        drop(rows);
        let mut unified: Vec<Vec<Expr>> = (0..height).map(|_| Vec::with_capacity(width)).collect();
        for column in columns {
            let common = if self.level().resolve_unknowns {
                common_type::select_for(&names, &column, "VALUES")?
            } else {
                // INSERT gives the type of columns that hold only literals.
                match column.iter().all(|value| value.ty().oid == types::Oid::UNKNOWN) {
                    true => SqlType::UNKNOWN,
                    false => common_type::select_for(&names, &column, "VALUES")?,
                }
            };
            let typmod = common_type::common_modifier(column.iter().map(Typed::ty), common.oid);
            for (row, value) in unified.iter_mut().zip(column) {
                row.push(self.coerce_to_common(value, common, "VALUES")?);
            }
            types.push(common.with_typmod(typmod));
        }
        Ok((unified, types))
    }
}

/// 42601 when the rows of a list are not of one length.
pub(crate) fn check_row_length(first: Option<&Vec<Typed>>, row: &[Typed]) -> Result<()> {
    match first {
        Some(first) if first.len() != row.len() => {
            let at = row.first().and_then(Typed::position);
            Err(Error::new(SqlState::SYNTAX_ERROR, "VALUES lists must all be the same length").at(at))
        }
        _ => Ok(()),
    }
}
