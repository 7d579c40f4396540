//! What FROM offers to expressions: range entries (tables, subqueries, functions, joins) and the namespace in which their names are
//! visible (parse_relation.c).

use std::sync::Arc;

use catalog::{Relation, builtin::SystemRelation};
use expr::{ColumnId, Expr};
use plan::logical::{Computed, Given, LogicalPlan, Scan, SystemAttribute};
use types::{Error, Oid, Result, SqlState, SqlType, text_format::TypeResolver};

use crate::{
    analysis::EntryShape,
    ast,
    state::{Binder, Level, Typed},
    type_facts,
};

/// A column as a range entry offers it.
#[derive(Clone, Debug)]
pub(crate) struct EntryColumn {
    pub(crate) name: Arc<str>,
    /// A plain column, or what a merged join column is computed from.
    pub(crate) expr: Expr,
    /// The table attribute it is: relation and attnum.
    pub(crate) origin: Option<(Oid, i16)>,
}

impl EntryColumn {
    /// An output column of a query as an entry over it offers it.
    pub(crate) fn of_output(column: &plan::OutputColumn) -> EntryColumn {
        EntryColumn { name: column.name.clone(), expr: Expr::Column { id: column.id, ty: column.ty }, origin: column.origin }
    }
}

/// Where an entry's rows come from.
#[derive(Debug)]
pub(crate) enum EntrySource {
    Table(Arc<Relation>),
    System(&'static SystemRelation),
    /// A subquery, VALUES, function or WITH query; None when the plan has been taken.
    Plan(Option<Box<LogicalPlan>>),
    /// A join: its columns are those of its sides, merged ones first.
    Join,
    /// Columns without rows: EXCLUDED, the columns of a stand-alone expression.
    Names,
}

/// An item of FROM.
#[derive(Debug)]
pub(crate) struct RangeEntry {
    pub(crate) source: EntrySource,
    /// The alias, or the relation's own name.
    pub(crate) alias: Arc<str>,
    /// Schema and relation, for references that name the schema and for hints.
    pub(crate) relation: Option<(Oid, Oid)>,
    pub(crate) has_alias: bool,
    pub(crate) columns: Vec<EntryColumn>,
    /// Attribute positions and the columns they become (tables only).
    pub(crate) attributes: Vec<(usize, Given)>,
    pub(crate) row_id: Option<ColumnId>,
    pub(crate) system: Vec<(SystemAttribute, Given)>,
    /// The row type of the whole row; [`Oid::RECORD`] when it has no name.
    pub(crate) row_type: Oid,
    /// A function that returns a scalar: its whole row is the value itself.
    pub(crate) scalar: bool,
    /// An outer join may replace its rows by NULLs.
    pub(crate) nullable: bool,
    /// The table that the statement writes.
    pub(crate) is_target: bool,
    /// Where a reference to a recursive query is written; -1 for everything else.
    pub(crate) recursive_reference: i32,
    /// What the item is called without its alias.
    pub(crate) source_name: Arc<str>,
    /// Columns of the relation that the stored query being bound does not know: parts of its whole row, without names.
    pub(crate) later: Vec<EntryColumn>,
    /// What it was written as, when the query is analysed, and the column that its whole row is then.
    pub(crate) shape: Option<Box<EntryShape>>,
    pub(crate) whole: Option<ColumnId>,
}

/// An entry's visibility in the clause being bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamespaceItem {
    pub(crate) entry: usize,
    pub(crate) relation_visible: bool,
    pub(crate) columns_visible: bool,
    pub(crate) lateral_only: bool,
    pub(crate) lateral_ok: bool,
}

impl NamespaceItem {
    pub(crate) fn visible(entry: usize) -> NamespaceItem {
        NamespaceItem { entry, relation_visible: true, columns_visible: true, lateral_only: false, lateral_ok: true }
    }
}

impl RangeEntry {
    pub(crate) fn new(source: EntrySource, alias: Arc<str>, columns: Vec<EntryColumn>) -> RangeEntry {
        RangeEntry {
            source,
            source_name: alias.clone(),
            alias,
            relation: None,
            has_alias: false,
            columns,
            attributes: Vec::new(),
            row_id: None,
            system: Vec::new(),
            row_type: Oid::RECORD,
            scalar: false,
            nullable: false,
            is_target: false,
            recursive_reference: -1,
            later: Vec::new(),
            shape: None,
            whole: None,
        }
    }

    /// The columns of a stand-alone expression or of EXCLUDED.
    pub(crate) fn of_columns(alias: &str, pairs: impl IntoIterator<Item = (Arc<str>, Given)>) -> RangeEntry {
        let column = |(name, given): (Arc<str>, Given)| EntryColumn {
            name,
            expr: Expr::Column { id: given.id, ty: given.ty },
            origin: None,
        };
        RangeEntry::new(EntrySource::Names, alias.into(), pairs.into_iter().map(column).collect())
    }
}

fn system_attribute(name: &str) -> Option<(SystemAttribute, SqlType)> {
    Some(match name {
        "ctid" => (SystemAttribute::Ctid, SqlType::TID),
        "xmin" => (SystemAttribute::Xmin, SqlType::XID),
        "xmax" => (SystemAttribute::Xmax, SqlType::XID),
        "cmin" => (SystemAttribute::Cmin, SqlType::CID),
        "cmax" => (SystemAttribute::Cmax, SqlType::CID),
        "tableoid" => (SystemAttribute::TableOid, SqlType::OID),
        _ => return None,
    })
}

/// Distance past which names are not suggested (MAX_FUZZY_DISTANCE).
const LARGEST_DISTANCE: usize = 3;

/// The best guesses for a missing column: places are level, entry and column (None: the exact name, but not visible).
#[derive(Default)]
struct Guesses {
    distance: usize,
    first: Option<(usize, usize, Option<usize>)>,
    second: Option<(usize, usize, usize)>,
}

impl Binder<'_> {
    /// Adds an entry to the innermost level.
    pub(crate) fn add_entry(&mut self, entry: RangeEntry) -> usize {
        let level = self.level_mut();
        level.entries.push(entry);
        level.entries.len() - 1
    }

    /// The visible entry of a table name, from the innermost level out: level and entry (refnameNamespaceItem).
    pub(crate) fn find_relation_entry(&self, schema: Option<Oid>, name: &str, location: i32) -> Result<Option<(usize, usize)>> {
        for (depth, level) in self.levels.iter().enumerate().rev() {
            let mut found = None;
            for item in &level.namespace {
                let entry = &level.entries[item.entry];
                if !item.relation_visible || (item.lateral_only && !level.lateral_active) || *entry.alias != *name {
                    continue;
                }
                if let Some(schema) = schema
                    && (entry.has_alias || entry.relation.is_none_or(|(own, _)| own != schema))
                {
                    continue;
                }
                if found.is_some() {
                    let message = format!("table reference \"{name}\" is ambiguous");
                    return Err(Error::new(SqlState::AMBIGUOUS_ALIAS, message).at(ast::position(location)));
                }
                check_lateral(item, entry, location)?;
                found = Some(item.entry);
            }
            if let Some(entry) = found {
                return Ok(Some((depth, entry)));
            }
        }
        Ok(None)
    }

    /// The column that a bare name means, from the innermost level out (colNameToVar).
    pub(crate) fn find_column(&mut self, name: &str, location: i32) -> Result<Option<Typed>> {
        for index in (0..self.levels.len()).rev() {
            let level = &self.levels[index];
            let mut found: Option<(usize, Option<usize>)> = None;
            for item in &level.namespace {
                if !item.columns_visible || (item.lateral_only && !level.lateral_active) {
                    continue;
                }
                let Some(column) = level.entries[item.entry].find(name, location)? else { continue };
                if found.is_some() {
                    return Err(ambiguous(name, location));
                }
                check_lateral(item, &level.entries[item.entry], location)?;
                found = Some((item.entry, column));
            }
            if let Some((entry, column)) = found {
                return self.reference(index, entry, column, name, location).map(Some);
            }
        }
        Ok(None)
    }

    /// The column of one entry, system columns included.
    pub(crate) fn find_column_of(&mut self, level: usize, entry: usize, name: &str, location: i32) -> Result<Option<Typed>> {
        match self.levels[level].entries[entry].find(name, location)? {
            Some(column) => self.reference(level, entry, column, name, location).map(Some),
            None => Ok(None),
        }
    }

    /// An expression for a column that was found; None is the system column of this name.
    fn reference(&mut self, level: usize, entry: usize, column: Option<usize>, name: &str, location: i32) -> Result<Typed> {
        if let Some(column) = column {
            self.note_read(level, entry, column);
        }
        let expr = match column {
            Some(column) => self.levels[level].entries[entry].columns[column].expr.clone(),
            None => self.system_column(level, entry, name, location)?,
        };
        self.note_reference(level, &expr, location);
        Ok(Typed::new(expr, location))
    }

    /// Records that an expression mentions columns of a level.
    pub(crate) fn note_reference(&mut self, level: usize, expr: &Expr, location: i32) {
        self.mark_used(expr);
        match expr {
            Expr::Column { id, .. } => self.levels[level].references.push((*id, location)),
            other => {
                let ids = other.columns();
                self.levels[level].references.extend(ids.into_iter().map(|id| (id, location)));
            }
        }
    }

    fn system_column(&mut self, level: usize, entry: usize, name: &str, location: i32) -> Result<Expr> {
        let Some((attribute, ty)) = system_attribute(name) else {
            return Err(Error::internal(format!("\"{name}\" is not a system column")));
        };
        if let Some((_, given)) = self.levels[level].entries[entry].system.iter().find(|(known, _)| *known == attribute) {
            return Ok(Expr::Column { id: given.id, ty });
        }
        let range = &self.levels[level].entries[entry];
        if let (EntrySource::Names, Some((_, relation))) = (&range.source, range.relation) {
            return Ok(Expr::constant(types::Datum::Oid(relation), SqlType::OID));
        }
        if let EntrySource::System(relation) = self.levels[level].entries[entry].source {
            return match attribute {
                SystemAttribute::TableOid => Ok(Expr::constant(types::Datum::Oid(relation.oid), SqlType::OID)),
                _ => {
                    Err(Error::unsupported(format!("system column \"{name}\" of a system relation")).at(ast::position(location)))
                }
            };
        }
        let depth = self.depth_of(level);
        let id = self.new_column_at(depth);
        self.levels[level].entries[entry].system.push((attribute, Given { id, ty }));
        Ok(Expr::Column { id, ty })
    }

    /// The column that gives the identity of a table entry's rows.
    pub(crate) fn row_identity(&mut self, level: usize, entry: usize) -> ColumnId {
        if let Some(id) = self.levels[level].entries[entry].row_id {
            return id;
        }
        let depth = self.depth_of(level);
        let id = self.new_column_at(depth);
        self.levels[level].entries[entry].row_id = Some(id);
        id
    }

    /// A whole row as a value (transformWholeRowRef).
    pub(crate) fn whole_row(&mut self, level: usize, entry: usize, location: i32) -> Typed {
        if !self.analysing() {
            self.note_read_all(level, entry);
        }
        let range = &self.levels[level].entries[entry];
        if range.scalar
            && let [only] = &range.columns[..]
        {
            let expr = only.expr.clone();
            self.note_reference(level, &expr, location);
            return Typed::new(expr, location);
        }
        let ty = type_facts::sql_type(&self.names, range.row_type);
        if self.analysing() {
            return Typed::new(self.analysed_row(level, entry, ty), location);
        }
        let columns = || range.columns.iter().chain(&range.later);
        let names: Arc<[Arc<str>]> = columns().map(|column| column.name.clone()).collect();
        let fields: Vec<Expr> = columns().map(|column| column.expr.clone()).collect();
        let nullable = range.nullable;
        let row = Expr::Row { fields, names, ty };
        self.note_reference(level, &row, location);
        let marker = if nullable { self.presence_marker(level, entry) } else { None };
        let Some((id, marker_type)) = marker else { return Typed::new(row, location) };
        // A row that an outer join made up is NULL as a whole, not a row of NULLs.
        self.columns[id.0 as usize].used = true;
        let absent = Expr::IsNull { operand: Box::new(Expr::Column { id, ty: marker_type }), negated: false };
        Typed::new(Expr::Case { branches: vec![(absent, Expr::null(ty))], otherwise: Box::new(row), ty, simple: false }, location)
    }

    /// A column that is never NULL in the entry's own rows: a table's row identity, or a constant added to a subquery.
    fn presence_marker(&mut self, level: usize, entry: usize) -> Option<(ColumnId, SqlType)> {
        match &self.levels[level].entries[entry].source {
            EntrySource::Table(_) => Some((self.row_identity(level, entry), SqlType::INT8)),
            EntrySource::Plan(Some(_)) => {
                if let Some(id) = self.levels[level].entries[entry].row_id {
                    return Some((id, SqlType::BOOL));
                }
                let depth = self.depth_of(level);
                let id = self.new_column_at(depth);
                let range = &mut self.levels[level].entries[entry];
                let EntrySource::Plan(plan) = &mut range.source else { return None };
                let input = plan.take()?;
                let passed = range.columns.iter().filter_map(|column| match column.expr {
                    Expr::Column { id, ty } => Some(Computed { id, expression: Expr::Column { id, ty } }),
                    _ => None,
                });
                let present = Computed { id, expression: Expr::constant(types::Datum::Bool(true), SqlType::BOOL) };
                let columns = passed.chain([present]).collect();
                *plan = Some(Box::new(LogicalPlan::Project { input, columns }));
                range.row_id = Some(id);
                Some((id, SqlType::BOOL))
            }
            _ => None,
        }
    }

    /// 42703 with the hint that fits (errorMissingColumn).
    pub(crate) fn missing_column(&self, relation: Option<&str>, name: &str, location: i32) -> Error {
        let message = match relation {
            Some(relation) => format!("column {relation}.{name} does not exist"),
            None => format!("column \"{name}\" does not exist"),
        };
        let error = Error::new(SqlState::UNDEFINED_COLUMN, message).at(ast::position(location));
        let guesses = self.guess_column(relation, name);
        let alias = |level: usize, entry: usize| &self.levels[level].entries[entry].alias;
        let column = |level: usize, entry: usize, column: usize| {
            format!("\"{}.{}\"", alias(level, entry), self.levels[level].entries[entry].columns[column].name)
        };
        match (guesses.first, guesses.second) {
            (None, _) => error,
            (Some((level, entry, None)), _) => error.hint(format!(
                "There is a column named \"{name}\" in table \"{}\", but it cannot be referenced from this part of the query.",
                alias(level, entry)
            )),
            (Some((level, entry, Some(at))), None) => {
                error.hint(format!("Perhaps you meant to reference the column {}.", column(level, entry, at)))
            }
            (Some((level, entry, Some(at))), Some(second)) => error.hint(format!(
                "Perhaps you meant to reference the column {} or the column {}.",
                column(level, entry, at),
                column(second.0, second.1, second.2)
            )),
        }
    }

    /// searchRangeTableForCol
    fn guess_column(&self, relation: Option<&str>, name: &str) -> Guesses {
        let mut guesses = Guesses { distance: LARGEST_DISTANCE + 1, ..Guesses::default() };
        for (depth, level) in self.levels.iter().enumerate().rev() {
            for (at, entry) in level.entries.iter().enumerate() {
                if matches!(entry.source, EntrySource::Join) {
                    continue;
                }
                let penalty = relation.map_or(0, |relation| strsim::levenshtein(relation, &entry.alias));
                let mut exact = false;
                for (column, offered) in entry.columns.iter().enumerate() {
                    exact |= *offered.name == *name;
                    guesses.consider((depth, at, column), &offered.name, name, penalty);
                }
                if exact && penalty == 0 {
                    return Guesses { distance: 0, first: Some((depth, at, None)), second: None };
                }
            }
        }
        guesses
    }

    /// 42P01 for a table name that is not in FROM, or not visible here (errorMissingRTE).
    pub(crate) fn missing_relation(&self, schema: Option<&str>, name: &str, location: i32) -> Error {
        let wanted = self.names.relation_by_name(schema, name).map(|relation| relation.oid());
        let mut hidden = None;
        for level in self.levels.iter().rev() {
            let matches =
                |entry: &RangeEntry| *entry.alias == *name || (wanted.is_some() && entry.relation.map(|(_, oid)| oid) == wanted);
            let visible = |at: usize| level.namespace.iter().any(|item| item.entry == at && item.relation_visible);
            let all = || level.entries.iter().enumerate().filter(|(_, entry)| matches(entry)).map(|(at, _)| at);
            if let Some(at) = all().find(|at| visible(*at)).or_else(|| all().next()) {
                hidden = Some((level, at));
                break;
            }
        }
        let invalid = || {
            Error::new(SqlState::UNDEFINED_TABLE, format!("invalid reference to FROM-clause entry for table \"{name}\""))
                .at(ast::position(location))
        };
        match hidden {
            Some((level, at)) => {
                let entry = &level.entries[at];
                let visible = level.namespace.iter().any(|item| item.entry == at && item.relation_visible);
                if entry.has_alias && *entry.alias != *name && visible {
                    invalid().hint(format!("Perhaps you meant to reference the table alias \"{}\".", entry.alias))
                } else {
                    invalid().hint(format!(
                        "There is an entry for table \"{name}\", but it cannot be referenced from this part of the query."
                    ))
                }
            }
            None => Error::new(SqlState::UNDEFINED_TABLE, format!("missing FROM-clause entry for table \"{name}\""))
                .at(ast::position(location)),
        }
    }

    /// The OUT parameters of a function that returns a record.
    fn out_fields(
        &self,
        function: &'static catalog::builtin::BuiltinFunction,
        arguments: &[Expr],
    ) -> Option<(Arc<[Arc<str>]>, Vec<SqlType>)> {
        let columns = crate::function_call::out_columns(function)?;
        let resolved = self.resolve_out(columns, arguments, function).ok()?;
        let (names, types): (Vec<_>, Vec<_>) = resolved.into_iter().unzip();
        Some((names.into(), types))
    }

    /// Names and types of the columns of a row-valued expression's type, for `(row).field` and `(row).*`.
    pub(crate) fn row_fields(&self, expr: &Expr) -> Option<(Arc<[Arc<str>]>, Vec<SqlType>)> {
        if let Some(columns) = self.analysed_fields(expr) {
            return Some(columns.iter().map(|column| (column.name.clone(), column.expr.ty())).unzip::<_, _, Vec<_>, _>())
                .map(|(names, types)| (names.into(), types));
        }
        match expr {
            Expr::Row { fields, names, .. } => Some((names.clone(), fields.iter().map(Expr::ty).collect())),
            Expr::Case { branches, otherwise, ty, .. } if ty.oid == Oid::RECORD && branches.len() == 1 => {
                self.row_fields(otherwise)
            }
            Expr::Call { function, arguments, ty, .. } if ty.oid == Oid::RECORD => self.out_fields(function, arguments),
            Expr::Column { id, ty } if ty.oid == Oid::RECORD => {
                let mut sets = self.levels.iter().flat_map(|level| &level.sets);
                let (_, call) = sets.find(|(column, _)| column == id)?;
                self.out_fields(call.function, &call.arguments)
            }
            other => {
                let (names, types) = self.names.composite_fields(type_facts::base(&self.names, other.ty().oid))?;
                Some((names, types.to_vec()))
            }
        }
    }
}

impl RangeEntry {
    /// The column of this name: Some(None) is a system column. Errors: 42702.
    fn find(&self, name: &str, location: i32) -> Result<Option<Option<usize>>> {
        let mut matching = self.columns.iter().enumerate().filter(|(_, column)| *column.name == *name);
        if let Some((at, _)) = matching.next() {
            return if matching.next().is_some() { Err(ambiguous(name, location)) } else { Ok(Some(Some(at))) };
        }
        let has_system = matches!(self.source, EntrySource::Table(_) | EntrySource::System(_));
        let has_identity = matches!(self.source, EntrySource::Names) && self.relation.is_some() && name == "tableoid";
        Ok((has_identity || has_system && system_attribute(name).is_some()).then_some(None))
    }

    /// The scan of a table entry, with the columns that were used.
    pub(crate) fn scan(&self, is_used: impl Fn(ColumnId) -> bool) -> Option<LogicalPlan> {
        let columns = self.attributes.iter().filter(|(_, given)| is_used(given.id)).copied().collect();
        match &self.source {
            EntrySource::Table(relation) => Some(LogicalPlan::Scan(Scan {
                relation: relation.clone(),
                // A stored query may know the relation by a former name.
                alias: if self.has_alias { self.alias.clone() } else { relation.name.clone() },
                columns,
                row_id: self.row_id,
                system: self.system.clone(),
            })),
            EntrySource::System(relation) => Some(LogicalPlan::SystemScan { relation, alias: self.alias.clone(), columns }),
            _ => None,
        }
    }
}

impl Guesses {
    /// updateFuzzyAttrMatchState
    fn consider(&mut self, place: (usize, usize, usize), actual: &str, wanted: &str, penalty: usize) {
        if penalty > self.distance {
            return;
        }
        let distance = strsim::levenshtein(actual, wanted);
        if distance > wanted.len() / 2 {
            return;
        }
        let distance = distance + penalty;
        if distance < self.distance {
            self.distance = distance;
            self.first = Some((place.0, place.1, Some(place.2)));
            self.second = None;
        } else if distance == self.distance {
            if self.second.is_some() {
                self.first = None;
                self.second = None;
            } else if self.first.is_some() {
                self.second = Some(place);
            }
        }
    }
}

fn ambiguous(name: &str, location: i32) -> Error {
    Error::new(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{name}\" is ambiguous")).at(ast::position(location))
}

fn check_lateral(item: &NamespaceItem, entry: &RangeEntry, location: i32) -> Result<()> {
    if item.lateral_only && !item.lateral_ok {
        let message = format!("invalid reference to FROM-clause entry for table \"{}\"", entry.alias);
        let error = Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(ast::position(location));
        if entry.is_target {
            return Err(error.hint(format!(
                "There is an entry for table \"{}\", but it cannot be referenced from this part of the query.",
                entry.alias
            )));
        }
        return Err(error.detail("The combining JOIN type must be INNER or LEFT for a LATERAL reference."));
    }
    Ok(())
}

impl Level {
    /// Makes an entry's names visible.
    pub(crate) fn show(&mut self, entry: usize) {
        self.namespace.push(NamespaceItem::visible(entry));
    }
}
