//! The functions that go with the system relations, by pg_proc.prosrc.

use catalog::{Relation, RelationKind, UserTypeKind, builtin::builtins, type_names::quote_qualified};
use std::sync::Arc;

use types::{Datum, Error, Oid, Record, Result, SqlState, SqlType, text_format::TypeResolver};

use crate::process::Request;

use super::{
    SystemContext, definitions,
    definitions::{Qualify, Style},
    information_schema,
    relation_rows::{as_index, class},
    row::{NULL, oid, optional_text, text},
};

mod index_properties;
mod privileges;
mod routines;
mod sets;
mod sizes;
mod statistics;

pub(super) use routines::parameters as parameters_of;
pub use sets::call_set;

/// Arguments by position and kind; the binder has made sure of number and types, strictness of their not being NULL.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a>(pub(super) &'a [Datum]);

impl<'a> Arguments<'a> {
    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    pub(super) fn oid(self, at: usize) -> Oid {
        match self.0.get(at) {
            Some(Datum::Oid(oid)) => *oid,
            Some(Datum::Int4(number)) => Oid(*number as u32),
            Some(Datum::Int8(number)) => Oid(u32::try_from(*number).unwrap_or_default()),
            _ => Oid::INVALID,
        }
    }

    pub(super) fn text(self, at: usize) -> &'a str {
        match self.0.get(at) {
            Some(Datum::Text(text)) => text,
            _ => "",
        }
    }

    pub(super) fn int(self, at: usize) -> i64 {
        match self.0.get(at) {
            Some(Datum::Int2(number)) => i64::from(*number),
            Some(Datum::Int4(number)) => i64::from(*number),
            Some(Datum::Int8(number)) => *number,
            _ => 0,
        }
    }

    pub(super) fn boolean(self, at: usize) -> bool {
        matches!(self.0.get(at), Some(Datum::Bool(true)))
    }
}

/// Calls the function of this source; None when it is none of ours.
pub fn call(source: &str, arguments: &[Datum], context: &SystemContext) -> Option<Result<Datum>> {
    let given = Arguments(arguments);
    let definition = definition_function(source, given, context);
    let found = definition
        .or_else(|| name_function(source, given, context))
        .or_else(|| server_function(source, given, context))
        .or_else(|| routines::call(source, given, context))
        .or_else(|| index_properties::call(source, given, context))
        .or_else(|| information_schema::functions::call(source, given, context))
        .or_else(|| statistics::call(source, given, context));
    match found {
        Some(value) => Some(Ok(value)),
        None if source == "pg_stat_statements_reset" => Some(context.state.forget_statements().map(|()| NULL)),
        None => fallible_function(source, given, context)
            .or_else(|| sizes::call(source, given, context))
            .or_else(|| privileges::call(source, given, context)),
    }
}

fn style(context: &SystemContext, given: Arguments, at: usize) -> Style {
    if given.boolean(at) { Style { reparsed: context.reparsed, ..Style::PRETTY } } else { context.style() }
}

/// Printing of definitions.
fn definition_function(source: &str, given: Arguments, context: &SystemContext) -> Option<Datum> {
    let catalog = &context.names.catalog;
    let view = |relation: Option<&Relation>, style: Style| {
        optional_text(relation.and_then(|view| definitions::view(context, view, style)))
    };
    Some(match source {
        "format_type" => match (given.0.first(), given.0.get(1)) {
            (Some(Datum::Null) | None, _) => NULL,
            (_, Some(Datum::Int4(typmod))) => {
                text(context.names.format_type(types::SqlType::of(given.oid(0)).with_typmod(*typmod)))
            }
            _ => text(context.names.format_type_oid(given.oid(0))),
        },
        "pg_get_expr" | "pg_get_expr_ext" => {
            let relation = catalog.relation(given.oid(1)).map(|relation| &**relation);
            text(definitions::stored_expression(context, given.text(0), relation, style(context, given, 2)))
        }
        "pg_get_indexdef" | "pg_get_indexdef_ext" => {
            let Some(relation) = catalog.relation(given.oid(0)) else { return Some(NULL) };
            let Some(index) = as_index(relation) else { return Some(NULL) };
            let style = style(context, given, 2);
            match usize::try_from(given.int(1)) {
                Ok(0) => {
                    let qualify = if style.pretty { Qualify::WhenHidden } else { Qualify::Always };
                    text(definitions::index(context, relation, index, qualify, style))
                }
                Ok(key) => text(definitions::index_key(context, index, key - 1, false, style)),
                Err(_) => text(""),
            }
        }
        "pg_get_constraintdef" | "pg_get_constraintdef_ext" => {
            optional_text(constraint_definition(context, given.oid(0), style(context, given, 1)))
        }
        "pg_get_viewdef" | "pg_get_viewdef_ext" => {
            view(catalog.relation(given.oid(0)).map(|relation| &**relation), style(context, given, 1))
        }
        "pg_get_viewdef_wrap" => {
            let style = Style { wrap: i32::try_from(given.int(1)).unwrap_or(0), ..Style::PRETTY };
            view(catalog.relation(given.oid(0)).map(|relation| &**relation), style)
        }
        // Kinds of objects that do not exist here have no definition.
        "pg_get_partkeydef"
        | "pg_get_partition_constraintdef"
        | "pg_get_statisticsobjdef"
        | "pg_get_triggerdef"
        | "pg_get_triggerdef_ext"
        | "pg_get_statisticsobjdef_columns"
        | "pg_get_statisticsobjdef_expressions"
        | "pg_get_function_sqlbody"
        | "pg_get_ruledef"
        | "pg_get_ruledef_ext" => NULL,
        _ => return None,
    })
}

fn constraint_definition(context: &SystemContext, wanted: Oid, style: Style) -> Option<String> {
    let catalog = &context.names.catalog;
    for relation in catalog.relations() {
        if let Some(constraint) = relation.constraints.iter().find(|constraint| constraint.oid == wanted) {
            return Some(definitions::constraint(context, Some(relation), constraint, style));
        }
    }
    catalog.user_types().find_map(|ty| match &ty.kind {
        UserTypeKind::Domain { constraints, base, .. } => {
            let constraint = constraints.iter().find(|constraint| constraint.oid == wanted)?;
            Some(definitions::domain_constraint(context, *base, constraint, style))
        }
        _ => None,
    })
}

/// Visibility and comments: questions about an object by its identifier.
fn name_function(source: &str, given: Arguments, context: &SystemContext) -> Option<Datum> {
    let names = &context.names;
    let known = |exists: bool| if exists { Datum::Bool(true) } else { NULL };
    Some(match source {
        "pg_table_is_visible" => match names.relation(given.oid(0)) {
            Some(relation) => Datum::Bool(names.relation_is_visible(&relation)),
            None => NULL,
        },
        "pg_type_is_visible" => match names.type_name_and_schema(given.oid(0)) {
            Some(_) => Datum::Bool(names.type_is_visible(given.oid(0))),
            None => NULL,
        },
        "pg_function_is_visible" => match builtins().function(given.oid(0)) {
            Some(function) => Datum::Bool(names.function_is_visible(function)),
            None => NULL,
        },
        "pg_operator_is_visible" => known(builtins().operator(given.oid(0)).is_some()),
        "pg_opclass_is_visible" => known(is_fact("pg_opclass", given.oid(0))),
        "pg_opfamily_is_visible" => known(is_fact("pg_opfamily", given.oid(0))),
        "pg_collation_is_visible" => known(is_fact("pg_collation", given.oid(0))),
        "pg_conversion_is_visible" => known(is_fact("pg_conversion", given.oid(0))),
        "pg_ts_config_is_visible" => known(is_fact("pg_ts_config", given.oid(0))),
        "pg_ts_dict_is_visible" => known(is_fact("pg_ts_dict", given.oid(0))),
        "pg_statistics_obj_is_visible" | "pg_ts_parser_is_visible" | "pg_ts_template_is_visible" => NULL,
        "obj_description" => comment(context, given.oid(0), 0, (given.len() > 1).then(|| given.text(1))),
        "col_description" => comment(context, given.oid(0), given.int(1), Some("pg_class")),
        "shobj_description" => shared_comment(context, given.oid(0), given.text(1)),
        "pg_get_userbyid" => match names.role_name(given.oid(0)) {
            Some(role) => Datum::Text(role),
            None => text(format!("unknown (OID={})", given.oid(0))),
        },
        "pg_relation_is_publishable" => match names.catalog.relation(given.oid(0)) {
            Some(relation) => {
                let permanent = relation.persistence == catalog::Persistence::Permanent;
                Datum::Bool(relation.relkind() == 'r' && permanent)
            }
            None if names.relation(given.oid(0)).is_some() => Datum::Bool(false),
            None => NULL,
        },
        // UPDATE, INSERT and DELETE as bits 2 to 4.
        "pg_relation_is_updatable" => Datum::Int4(if is_updatable(context, given.oid(0), None) { 28 } else { 0 }),
        "pg_column_is_updatable" => {
            let position = usize::try_from(given.int(1) - 1).ok();
            Datum::Bool(position.is_some_and(|position| is_updatable(context, given.oid(0), Some(position))))
        }
        "pg_get_replica_identity_index" => replica_identity(context, given.oid(0)),
        "acldefault_sql" => default_privileges(context, given.text(0), given.oid(1)),
        "pg_describe_object" => optional_text(described(context, given.oid(0), given.oid(1), given.int(2))),
        "pg_collation_actual_version" | "pg_tablespace_location" => text(""),
        _ => return None,
    })
}

fn is_fact(relation: &str, wanted: Oid) -> bool {
    let rows = super::facts::fact_rows(relation).unwrap_or_default();
    rows.iter().any(|row| matches!(row.first(), Some(Datum::Oid(found)) if *found == wanted))
}

/// The comment on an object, or on one of a relation's columns; without the catalog's name, any object of that number.
fn comment(context: &SystemContext, object: Oid, part: i64, of: Option<&str>) -> Datum {
    let Some(wanted) = of.map_or(Some(None), |of| class_of(of).map(Some)) else { return NULL };
    let rows = super::row::collect(|sink| super::description_rows::pg_description(context, sink));
    let found = rows.into_iter().find(|row| {
        matches!(row[0], Datum::Oid(found) if found == object)
            && matches!(row[1], Datum::Oid(found) if wanted.is_none_or(|wanted| found == wanted))
            && matches!(row[2], Datum::Int4(found) if i64::from(found) == part)
    });
    found.and_then(|mut row| row.pop()).unwrap_or(NULL)
}

fn class_of(catalog: &str) -> Option<Oid> {
    builtins().system_relation_named("pg_catalog", catalog).map(|relation| relation.oid)
}

fn shared_comment(context: &SystemContext, object: Oid, of: &str) -> Datum {
    let of = class_of(of);
    let comment = if of == Some(class::DATABASE) {
        context.databases.iter().find(|database| database.oid == object).and_then(|database| database.facts.comment.clone())
    } else if of == Some(class::AUTHID) {
        context.authority.roles.iter().find(|role| role.oid == object).and_then(|role| role.comment.clone())
    } else {
        None
    };
    optional_text(comment)
}

/// The privileges that an object of a kind has when none were granted: its owner's, and for some kinds everybody's.
fn default_privileges(context: &SystemContext, kind: &str, owner: Oid) -> Datum {
    let (everybody, owners) = match kind {
        "c" => ("", ""),
        "r" => ("", "arwdDxt"),
        "s" => ("", "rwU"),
        "d" => ("Tc", "CTc"),
        "f" => ("X", "X"),
        "l" | "T" => ("U", "U"),
        "L" => ("", "rw"),
        "n" => ("", "UC"),
        "p" => ("", "sA"),
        "t" => ("", "C"),
        "F" | "S" => ("", "U"),
        _ => return NULL,
    };
    let owner = context.names.role_name(owner).map_or_else(|| owner.to_string(), |name| quote_qualified(None, &name));
    let items = [(String::new(), everybody), (owner.clone(), owners)];
    let items = items.into_iter().filter(|(_, letters)| !letters.is_empty());
    let items = items.map(|(grantee, letters)| text(format!("{grantee}={letters}/{owner}")));
    super::row::array(SqlType::ACLITEM, items.collect())
}

/// Whether a table, or a view that stands for one, can be changed; one of its columns, when given by position.
fn is_updatable(context: &SystemContext, relation: Oid, position: Option<usize>) -> bool {
    let Some(relation) = context.names.catalog.relation(relation) else { return false };
    let column = position.and_then(|position| relation.attributes.get(position)).map(|attribute| &*attribute.name);
    match relation.kind {
        RelationKind::Table { .. } => true,
        RelationKind::View { .. } => definitions::view_is_updatable(context, relation, column),
        _ => false,
    }
}

fn replica_identity(context: &SystemContext, table: Oid) -> Datum {
    let table = context.names.catalog.relation(table);
    let key = table.and_then(|table| table.constraints.iter().find(|constraint| constraint.contype() == 'p'));
    key.and_then(catalog::Constraint::index).map_or(NULL, oid)
}

fn described(context: &SystemContext, of: Oid, object: Oid, part: i64) -> Option<String> {
    use catalog::dependencies::{Object, describe};
    let names = &context.names;
    let object = match of {
        class::CLASS if part == 0 => names.relation(object).map(|_| Object::Relation(object)),
        class::CLASS => usize::try_from(part - 1).ok().map(|position| Object::Column(object, position)),
        class::TYPE => names.type_name_and_schema(object).map(|_| Object::Type(object)),
        class::NAMESPACE => names.catalog.schema(object).map(|_| Object::Schema(object)),
        class::CONSTRAINT => {
            let has =
                |relation: &&std::sync::Arc<Relation>| relation.constraints.iter().any(|constraint| constraint.oid == object);
            names.catalog.relations().find(has).map(|relation| Object::Constraint(relation.oid, object))
        }
        _ => None,
    };
    object.map(|object| describe(names, object))
}

/// Questions about the running server.
fn server_function(source: &str, given: Arguments, context: &SystemContext) -> Option<Datum> {
    let state = context.state;
    Some(match source {
        "pg_is_in_recovery" => Datum::Bool(false),
        "pg_is_wal_replay_paused" => return None,
        "pg_postmaster_start_time" => Datum::TimestampTz(state.server_start()),
        "pg_conf_load_time" => Datum::TimestampTz(state.settings_loaded()),
        "pg_backend_pid" => Datum::Int4(state.backend_pid()),
        "pg_current_xact_id_if_assigned" => state.transaction_id_if_assigned().map_or(NULL, transaction_id),
        "pg_blocking_pids" => int4_array(state.blocking_pids(i32::try_from(given.int(0)).unwrap_or_default())),
        "pg_isolation_test_session_is_blocked" => {
            let blockers = state.blocking_pids(i32::try_from(given.int(0)).unwrap_or_default());
            let Some(Datum::Array(interesting)) = given.0.get(1) else { return Some(NULL) };
            Datum::Bool(interesting.elements.iter().any(|pid| matches!(pid, Datum::Int4(pid) if blockers.contains(pid))))
        }
        "pg_safe_snapshot_blocking_pids" => int4_array(Vec::new()),
        "pg_my_temp_schema" => oid(state.temporary_schema()),
        "pg_is_other_temp_schema" => {
            let name = context.names.schema_name(given.oid(0));
            let temporary = name.is_some_and(|name| name.starts_with("pg_temp_"));
            Datum::Bool(temporary && given.oid(0) != state.temporary_schema())
        }
        "inet_client_addr" => {
            let own = state.sessions().into_iter().find(|session| session.pid == state.backend_pid());
            optional_text(own.and_then(|session| session.client_address))
        }
        "inet_client_port" => {
            let own = state.sessions().into_iter().find(|session| session.pid == state.backend_pid());
            let port = own.and_then(|session| session.client_port).filter(|port| *port >= 0);
            port.map_or(NULL, Datum::Int4)
        }
        "inet_server_addr" | "inet_server_port" => NULL,
        "PG_encoding_to_char" => text(encoding_name(given.int(0)).unwrap_or_default()),
        "PG_char_to_encoding" => Datum::Int4(encoding_number(given.text(0))),
        "pg_encoding_max_length_sql" => match given.int(0) {
            6 => Datum::Int4(4),
            number if encoding_name(number).is_some() => Datum::Int4(1),
            _ => NULL,
        },
        "getdatabaseencoding" => text("UTF8"),
        "pg_jit_available" => Datum::Bool(false),
        "pg_trigger_depth" => Datum::Int4(0),
        "row_security_active" | "row_security_active_name" => Datum::Bool(false),
        "pg_session_memory_usage" => {
            state.session_memory(i32::try_from(given.int(0)).unwrap_or_default()).map_or(NULL, Datum::Int8)
        }
        "pg_server_memory_usage" => Datum::Int8(state.server_memory().0),
        "pg_server_memory_limit" => Datum::Int8(state.server_memory().1),
        "pg_stat_get_dirty_bytes" => Datum::Int8(i64::try_from(state.dirty().bytes).unwrap_or(i64::MAX)),
        "pg_stat_get_dirty_rows" => Datum::Int8(i64::try_from(state.dirty().rows).unwrap_or(i64::MAX)),
        "pg_dump_position" => text(state.change_count().to_string()),
        _ => return None,
    })
}

fn int4_array(numbers: Vec<i32>) -> Datum {
    super::row::array(types::SqlType::INT4, numbers.into_iter().map(Datum::Int4).collect())
}

/// A transaction's identifier as an xid8.
fn transaction_id(id: u64) -> Datum {
    Datum::Int8(types::unsigned::to_stored(id))
}

/// Encodings by PostgreSQL's numbers, as far as numbers of clients and servers go.
const ENCODINGS: [&str; 42] = [
    "SQL_ASCII",
    "EUC_JP",
    "EUC_CN",
    "EUC_KR",
    "EUC_TW",
    "EUC_JIS_2004",
    "UTF8",
    "MULE_INTERNAL",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1256",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "WIN1251",
    "WIN1252",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "WIN1250",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1257",
    "KOI8U",
    "SJIS",
    "BIG5",
    "GBK",
    "UHC",
    "GB18030",
    "JOHAB",
    "SHIFT_JIS_2004",
];

fn encoding_name(number: i64) -> Option<&'static str> {
    usize::try_from(number).ok().and_then(|number| ENCODINGS.get(number)).copied()
}

fn encoding_number(name: &str) -> i32 {
    let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let wanted = match plain(name).as_str() {
        "unicode" => "utf8".to_string(),
        "iso88591" => "latin1".to_string(),
        "iso88592" => "latin2".to_string(),
        other => other.to_string(),
    };
    let found = ENCODINGS.iter().zip(0..).find(|(known, _)| plain(known) == wanted);
    found.map_or(-1, |(_, number)| number)
}

/// Functions whose arguments can be wrong.
fn fallible_function(source: &str, given: Arguments, context: &SystemContext) -> Option<Result<Datum>> {
    let reg_type = match source {
        "to_regclass" => Oid::REGCLASS,
        "to_regtype" => Oid::REGTYPE,
        "to_regproc" => Oid::REGPROC,
        "to_regprocedure" => Oid::REGPROCEDURE,
        "to_regoper" => Oid::REGOPER,
        "to_regoperator" => Oid::REGOPERATOR,
        "to_regnamespace" => Oid::REGNAMESPACE,
        "to_regrole" => Oid::REGROLE,
        "to_regcollation" => Oid::REGCOLLATION,
        _ => return other_fallible_function(source, given, context),
    };
    Some(match context.names.reg_object(reg_type, given.text(0)) {
        Ok(object) => Ok(oid(object)),
        Err(error) if is_absence(error.sqlstate()) => Ok(NULL),
        Err(error) => Err(error),
    })
}

/// Whether an error says that the object does not exist (or is not the only one), rather than that its name is malformed.
fn is_absence(state: SqlState) -> bool {
    [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_OBJECT,
        SqlState::UNDEFINED_SCHEMA,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::AMBIGUOUS_FUNCTION,
    ]
    .contains(&state)
}

/// A dump or restore tells of its end, with the position that pg_dump_position() gave it at its beginning.
fn saved(position: &str, context: &SystemContext, restored: bool) -> Result<Datum> {
    let count = txn::ChangeCount::read(position)
        .ok_or_else(|| Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid dump position: \"{position}\"")))?;
    context.state.note_saved(count, restored).map(|()| Datum::Bool(true))
}

fn other_fallible_function(source: &str, given: Arguments, context: &SystemContext) -> Option<Result<Datum>> {
    let pid = || i32::try_from(given.int(0)).unwrap_or_default();
    Some(match source {
        "pg_get_serial_sequence" => serial_sequence(context, given.text(0), given.text(1)),
        "pg_get_viewdef_name" | "pg_get_viewdef_name_ext" => relation_named(context, given.text(0)).map(|relation| {
            let relation = context.names.catalog.relation(relation);
            optional_text(relation.and_then(|relation| definitions::view(context, relation, style(context, given, 1))))
        }),
        "pg_current_xact_id" => context.state.transaction_id().map(transaction_id),
        "pg_cancel_backend" => context.state.cancel_backend(pid()).map(Datum::Bool),
        "pg_terminate_backend" => context.state.terminate_backend(pid()).map(Datum::Bool),
        "pg_reload_conf" => context.state.ask_process(Request::Reload).map(Datum::Bool),
        "pg_stop_server" => context.state.ask_process(Request::Stop).map(Datum::Bool),
        "pg_dump_done" => saved(given.text(0), context, false),
        "pg_restore_done" => saved(given.text(0), context, true),
        "pg_get_functiondef" => routines::definition(given.oid(0), context),
        "pg_sequence_parameters" => sequence_parameters(context, given.oid(0)),
        "pg_column_size" => Ok(column_size(&given.0[0])),
        "pg_sequence_last_value" => sequence_last_value(context, given.oid(0)),
        _ => return None,
    })
}

/// The relation that a possibly qualified name means. Errors: 42P01, 3F000, 42602.
fn relation_named(context: &SystemContext, name: &str) -> Result<Oid> {
    context.names.reg_object(Oid::REGCLASS, name)
}

/// The sequence behind a serial or identity column.
fn serial_sequence(context: &SystemContext, table: &str, column: &str) -> Result<Datum> {
    let catalog = &context.names.catalog;
    let table_oid = relation_named(context, table)?;
    let table = catalog.relation(table_oid);
    let Some((position, _)) = table.and_then(|table| table.attribute(column)) else {
        let name = context.names.relation(table_oid).map(|relation| relation.name().to_string()).unwrap_or_default();
        let message = format!("column \"{column}\" of relation \"{name}\" does not exist");
        return Err(Error::new(SqlState::UNDEFINED_COLUMN, message));
    };
    let owned = |relation: &&std::sync::Arc<Relation>| matches!(relation.owned_by, Some((owner, at, _)) if (owner, at) == (table_oid, position));
    Ok(match catalog.relations().find(owned) {
        Some(sequence) => text(quote_qualified(context.names.schema_name(sequence.schema).as_deref(), &sequence.name)),
        None => NULL,
    })
}

/// The sequence of this identifier. Errors: 42809.
fn sequence_of<'a>(context: &'a SystemContext<'a>, sequence: Oid) -> Result<&'a catalog::SequenceDefinition> {
    match context.names.catalog.relation(sequence).map(|relation| &relation.kind) {
        Some(RelationKind::Sequence(definition)) => Ok(definition),
        _ => {
            let name = context.names.relation(sequence).map(|relation| relation.name().to_string());
            let message = format!("\"{}\" is not a sequence", name.unwrap_or_else(|| sequence.to_string()));
            Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
    }
}

fn sequence_parameters(context: &SystemContext, sequence: Oid) -> Result<Datum> {
    let definition = sequence_of(context, sequence)?;
    let fields = [
        ("start_value", SqlType::INT8, Datum::Int8(definition.start)),
        ("minimum_value", SqlType::INT8, Datum::Int8(definition.minimum)),
        ("maximum_value", SqlType::INT8, Datum::Int8(definition.maximum)),
        ("increment", SqlType::INT8, Datum::Int8(definition.increment)),
        ("cycle_option", SqlType::BOOL, Datum::Bool(definition.cycle)),
        ("cache_size", SqlType::INT8, Datum::Int8(definition.cache)),
        ("data_type", SqlType::OID, oid(definition.ty.oid)),
    ];
    Ok(Datum::Record(Arc::new(Record {
        type_oid: Oid::RECORD,
        field_types: fields.iter().map(|(_, ty, _)| *ty).collect(),
        field_names: fields.iter().map(|(name, _, _)| Arc::from(*name)).collect(),
        fields: fields.into_iter().map(|(_, _, value)| value).collect(),
    })))
}

/// Bytes that PostgreSQL would take for a value outside of a table; names and single characters count as text here.
fn column_size(value: &Datum) -> Datum {
    const LENGTH_WORD: usize = 4;
    let size = match value {
        Datum::Null => return NULL,
        Datum::Bool(_) => 1,
        Datum::Int2(_) => 2,
        Datum::Int4(_) | Datum::Float4(_) | Datum::Oid(_) | Datum::Date(_) | Datum::Enum(_) => 4,
        Datum::Int8(_) | Datum::Float8(_) | Datum::Time(_) | Datum::Timestamp(_) | Datum::TimestampTz(_) => 8,
        Datum::TimeTz(_) => 12,
        Datum::Interval(_) | Datum::Uuid(_) => 16,
        Datum::Text(text) => LENGTH_WORD + text.len(),
        Datum::Bytes(bytes) => LENGTH_WORD + bytes.len(),
        other => LENGTH_WORD + other.heap_size(),
    };
    Datum::Int4(i32::try_from(size).unwrap_or(i32::MAX))
}

/// last_value, log_cnt and is_called of a sequence: what reading it as a table gives.
fn sequence_row(context: &SystemContext, sequence: Oid) -> Result<Vec<Datum>> {
    let definition = sequence_of(context, sequence)?;
    let state = context.state.sequence(sequence);
    let last_value = state.map_or(definition.start, |state| state.last_value);
    Ok(vec![Datum::Int8(last_value), Datum::Int8(0), Datum::Bool(state.is_some_and(|state| state.is_called))])
}

fn sequence_last_value(context: &SystemContext, sequence: Oid) -> Result<Datum> {
    sequence_of(context, sequence)?;
    let state = context.state.sequence(sequence).filter(|state| state.is_called);
    Ok(state.map_or(NULL, |state| Datum::Int8(state.last_value)))
}
