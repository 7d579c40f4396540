//! Functions in FROM: one or several side by side (ROWS FROM), WITH ORDINALITY, column definition lists.

use std::sync::Arc;

use expr::Expr;
use pg_query::protobuf::{Node, RangeFunction, node::Node as Ast};
use plan::{
    analysed::ItemSource,
    logical::{FunctionScan, FunctionSource, Given, LogicalPlan, SetCall},
};
use types::{Error, Oid, Result, SqlState, SqlType, text_format::TypeResolver};

use crate::{
    ExpressionKind, ast, column_name,
    from::rename,
    function_call::{Called, is_plain_call, out_columns},
    range_table::{EntryColumn, EntrySource, RangeEntry},
    state::Binder,
    type_facts, type_name,
};

/// One function of the item, bound: what it runs, its name, the columns it gives, and whether they are one scalar.
struct BoundSource {
    source: FunctionSource,
    name: Arc<str>,
    columns: Vec<(Arc<str>, SqlType)>,
    scalar: bool,
    row_type: Oid,
}

impl Binder<'_> {
    pub(crate) fn bind_range_function(&mut self, range: &RangeFunction) -> Result<usize> {
        let lateral = std::mem::replace(&mut self.level_mut().lateral_active, true);
        let bound = self.bind_sources(range);
        self.level_mut().lateral_active = lateral;
        let sources = bound?;
        let alias: Arc<str> = match (&range.alias, sources.first()) {
            (Some(alias), _) => Arc::from(alias.aliasname.as_str()),
            (None, Some(first)) => first.name.clone(),
            (None, None) => Arc::from(""),
        };
        let single = sources.len() == 1;
        let only_scalar = single && sources[0].scalar && !range.ordinality;
        let row_type = if single && !range.ordinality { sources[0].row_type } else { Oid::RECORD };
        let written = self.note_functions(sources.iter().map(|source| &source.source));
        let lateral = range.lateral || self.reads_own_level(&written);
        let mut calls = Vec::with_capacity(sources.len());
        let mut columns = Vec::new();
        for source in sources {
            let mut given = Vec::with_capacity(source.columns.len());
            for (name, ty) in source.columns {
                let column = self.new_given(ty);
                // A single scalar function's column is called as the item is.
                let name = if single && source.scalar && range.coldeflist.is_empty() {
                    scalar_name(&source.source, &range.alias, name)
                } else {
                    name
                };
                columns.push(EntryColumn { name, expr: Expr::Column { id: column.id, ty }, origin: None });
                given.push(column);
            }
            calls.push((source.source, given));
        }
        let ordinality = range.ordinality.then(|| {
            let column = self.new_given(SqlType::INT8);
            columns.push(EntryColumn { name: Arc::from("ordinality"), expr: column_expr(column), origin: None });
            column.id
        });
        let plan = LogicalPlan::FunctionScan(FunctionScan { calls, alias: alias.clone(), ordinality });
        let mut entry = RangeEntry::new(EntrySource::Plan(Some(Box::new(plan))), alias, columns);
        entry.scalar = only_scalar;
        entry.row_type = row_type;
        rename(&mut entry, &range.alias, "table")?;
        let entry = self.add_entry(entry);
        let ordinality = range.ordinality;
        self.note_item(entry, &range.alias, lateral, || ItemSource::Functions { calls: written, ordinality });
        Ok(entry)
    }

    fn bind_sources(&mut self, range: &RangeFunction) -> Result<Vec<BoundSource>> {
        let mut sources = Vec::with_capacity(range.functions.len());
        for item in &range.functions {
            let [function, definitions @ ..] = ast::list_items(item) else {
                return Err(Error::internal("a function item holds a function"));
            };
            let own: &[Node] = definitions.first().map_or(&[], |list| match &list.node {
                Some(Ast::List(list)) => &list.items,
                _ => &[],
            });
            if !own.is_empty() && !range.coldeflist.is_empty() {
                let message = "multiple column definition lists are not allowed for the same function";
                return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(ast::location(function))));
            }
            let definitions = if own.is_empty() { &range.coldeflist[..] } else { own };
            if !range.coldeflist.is_empty() && range.functions.len() > 1 {
                let message = "ROWS FROM() with multiple functions cannot have a column definition list";
                return Err(Error::new(SqlState::SYNTAX_ERROR, message)
                    .hint("Put a separate column definition list for each function inside ROWS FROM().")
                    .at(definition_position(&range.coldeflist)));
            }
            if !range.coldeflist.is_empty() && range.ordinality {
                let message = "WITH ORDINALITY cannot be used with a column definition list";
                return Err(Error::new(SqlState::SYNTAX_ERROR, message)
                    .hint("Put the column definition list inside ROWS FROM().")
                    .at(definition_position(&range.coldeflist)));
            }
            self.bind_source(function, definitions, range, &mut sources)?;
        }
        Ok(sources)
    }

    fn bind_source(
        &mut self,
        function: &Node,
        definitions: &[Node],
        range: &RangeFunction,
        sources: &mut Vec<BoundSource>,
    ) -> Result<()> {
        let name = column_name::of_expression(function);
        let before = std::mem::replace(&mut self.level_mut().kind, ExpressionKind::FromFunction);
        let bound = match is_plain_call(function) {
            // unnest(a, b) is ROWS FROM (unnest(a), unnest(b)).
            Some(call) if is_multiple_unnest(call, range) => {
                let mut result = Ok(());
                for argument in &call.args {
                    let mut single = call.clone();
                    single.args = vec![argument.clone()];
                    result = self.resolve_call(&single).and_then(|called| {
                        sources.push(self.describe(called, name.clone(), definitions, call.location)?);
                        Ok(())
                    });
                    if result.is_err() {
                        break;
                    }
                }
                self.level_mut().kind = before;
                return result;
            }
            Some(call) => self.resolve_call(call),
            None => self.bind_expr(function).map(Called::Value),
        };
        self.level_mut().kind = before;
        let source = self.describe(bound?, name, definitions, ast::location(function))?;
        sources.push(source);
        Ok(())
    }

    /// The columns that a source gives (addRangeTableEntryForFunction).
    fn describe(&mut self, called: Called, name: Arc<str>, definitions: &[Node], location: i32) -> Result<BoundSource> {
        let names = self.names.clone();
        let (source, ty, out) = match called {
            Called::Set(call, _) => {
                let (ty, out) = (call.ty, out_columns(call.function));
                let out = out.map(|columns| self.resolve_out(columns, &call.arguments, call.function)).transpose()?;
                (FunctionSource::Set(call), ty, out)
            }
            Called::Value(typed) => {
                let typed = self.unknown_to_text(typed)?;
                let ty = typed.ty();
                let out = match &typed.expr {
                    Expr::Call { function, arguments, .. } => {
                        out_columns(function).map(|columns| self.resolve_out(columns, arguments, function)).transpose()?
                    }
                    _ => None,
                };
                (FunctionSource::Expression(typed.expr), ty, out)
            }
        };
        let position = ast::position(location);
        let is_record = matches!(ty.oid, Oid::RECORD) && out.is_none();
        if !definitions.is_empty() {
            let misuse = |message: &str| Err(Error::new(SqlState::SYNTAX_ERROR, message).at(definition_position(definitions)));
            if out.as_ref().is_some_and(|out| out.len() > 1) {
                return misuse("a column definition list is redundant for a function with OUT parameters");
            }
            if type_facts::is_composite(&names, type_facts::base(&names, ty.oid)) {
                return misuse("a column definition list is redundant for a function returning a named composite type");
            }
            if !is_record {
                return misuse("a column definition list is only allowed for functions returning \"record\"");
            }
            let columns = self.defined_columns(definitions)?;
            let source = with_definitions(source, &columns);
            return Ok(BoundSource { source, name, columns, scalar: false, row_type: Oid::RECORD });
        }
        if is_record {
            let message = "a column definition list is required for functions returning \"record\"";
            return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(position));
        }
        let bound = |columns, scalar, row_type| BoundSource { source, name: name.clone(), columns, scalar, row_type };
        if ty.oid == Oid::RECORD
            && let Some(out) = out
        {
            return Ok(bound(out, false, Oid::RECORD));
        }
        if let Some((fields, types)) = names.composite_fields(type_facts::base(&names, ty.oid)) {
            return Ok(bound(fields.iter().cloned().zip(types.iter().copied()).collect(), false, ty.oid));
        }
        let column = match out {
            Some(out) if out.len() == 1 => out.into_iter().next().map_or_else(|| name.clone(), |(name, _)| name),
            _ => name.clone(),
        };
        Ok(bound(vec![(column, ty)], true, Oid::RECORD))
    }

    /// OUT parameters with polymorphic types made actual.
    pub(crate) fn resolve_out(
        &self,
        columns: Vec<(Arc<str>, Oid)>,
        arguments: &[Expr],
        function: &catalog::builtin::BuiltinFunction,
    ) -> Result<Vec<(Arc<str>, SqlType)>> {
        let actual: Vec<Oid> = arguments.iter().map(|argument| argument.ty().oid).collect();
        let mut resolved = Vec::with_capacity(columns.len());
        for (name, ty) in columns {
            let mut declared = function.argument_types.clone();
            declared.truncate(actual.len());
            let oid = crate::generic::enforce(&self.names, &actual, &mut declared, ty)?;
            resolved.push((name, type_facts::sql_type(&self.names, oid)));
        }
        Ok(resolved)
    }

    /// `AS (name type, ...)`
    fn defined_columns(&mut self, definitions: &[Node]) -> Result<Vec<(Arc<str>, SqlType)>> {
        let names = self.names.clone();
        let mut columns: Vec<(Arc<str>, SqlType)> = Vec::with_capacity(definitions.len());
        for node in definitions {
            let Ast::ColumnDef(definition) = ast::content(node)? else {
                return Err(Error::internal("a column definition list holds definitions"));
            };
            if columns.iter().any(|(name, _)| **name == *definition.colname) {
                let message = format!("column name \"{}\" specified more than once", definition.colname);
                return Err(Error::new(SqlState::DUPLICATE_COLUMN, message).at(ast::position(definition.location)));
            }
            let ty = type_name::resolve(ast::required(&definition.type_name)?, &names)?;
            columns.push((Arc::from(definition.colname.as_str()), ty));
        }
        Ok(columns)
    }
}

/// Tells a function that returns record which columns it was declared to give. One that returns a single record is called as a set, too:
/// json_to_record cannot know its fields otherwise.
fn with_definitions(source: FunctionSource, columns: &[(Arc<str>, SqlType)]) -> FunctionSource {
    let columns = Some(Arc::from(columns));
    match source {
        FunctionSource::Set(call) => FunctionSource::Set(SetCall { columns, ..call }),
        FunctionSource::Expression(Expr::Call { function, arguments, ty, .. }) if ty.oid == Oid::RECORD => {
            FunctionSource::Set(SetCall { function, arguments, ty, columns })
        }
        expression => expression,
    }
}

fn column_expr(given: Given) -> Expr {
    Expr::Column { id: given.id, ty: given.ty }
}

/// The column of a scalar function: named by the alias, by its OUT parameter, or by the function.
fn scalar_name(source: &FunctionSource, alias: &Option<pg_query::protobuf::Alias>, own: Arc<str>) -> Arc<str> {
    let has_out = match source {
        FunctionSource::Set(call) => out_columns(call.function).is_some(),
        FunctionSource::Expression(Expr::Call { function, .. }) => out_columns(function).is_some(),
        FunctionSource::Expression(_) => false,
    };
    match alias {
        Some(alias) if !has_out => Arc::from(alias.aliasname.as_str()),
        _ => own,
    }
}

fn is_multiple_unnest(call: &pg_query::protobuf::FuncCall, range: &RangeFunction) -> bool {
    let name = ast::names(&call.funcname);
    matches!(name[..], ["unnest"])
        && call.args.len() > 1
        && call.agg_order.is_empty()
        && call.agg_filter.is_none()
        && call.over.is_none()
        && !call.agg_star
        && !call.agg_distinct
        && !call.func_variadic
        && range.coldeflist.is_empty()
}

fn definition_position(definitions: &[Node]) -> Option<usize> {
    match definitions.first().and_then(|node| node.node.as_ref()) {
        Some(Ast::ColumnDef(definition)) => ast::position(definition.location),
        _ => None,
    }
}
