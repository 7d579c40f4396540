//! CREATE SEQUENCE and ALTER SEQUENCE, and the sequences behind serial and identity columns.

use crate::definition_text;
use std::sync::Arc;

use catalog::{Attribute, Catalog, Persistence, Relation, RelationKind, SequenceDefinition};
use pg_query::{
    NodeEnum,
    protobuf::{AlterSeqStmt, CreateSeqStmt, DefElem, Node},
};
use txn::{LockMode, SequenceValue};
use types::{Error, Oid, Result, SqlState, SqlType};

use super::{object_names, relation_named, strings};
use crate::session::{
    Outcome, Session,
    utility::{command, option_text},
};

/// A sequence to be made with a column.
pub(crate) struct NewSequence {
    pub ty: SqlType,
    pub options: Vec<Node>,
}

impl Session {
    pub(crate) async fn create_sequence(&mut self, statement: &CreateSeqStmt) -> Result<Outcome> {
        let range = statement.sequence.as_ref().ok_or_else(|| Error::internal("CREATE SEQUENCE without a name"))?;
        let (schema, persistence) = self.creation_schema(range).await?;
        let names = self.names()?;
        if self.skip_existing(&names, schema, &range.relname, statement.if_not_exists)? {
            return Ok(command("CREATE SEQUENCE"));
        }
        let options = SequenceOptions::read(&statement.options, &names)?;
        let definition = options.define(None)?;
        let owned_by = options.owner(&names)?.flatten();
        let owner = self.current_role().oid;
        self.open_transaction()?.txn.change_schema(|change| {
            let oid = change.catalog.allocate_oid();
            put_sequence(change.catalog, oid, schema, &range.relname, owner, persistence, definition, owned_by);
            Ok(())
        })?;
        Ok(command("CREATE SEQUENCE"))
    }

    pub(crate) async fn alter_sequence(&mut self, statement: &AlterSeqStmt) -> Result<Outcome> {
        let range = statement.sequence.as_ref().ok_or_else(|| Error::internal("ALTER SEQUENCE without a name"))?;
        let names = self.names()?;
        let Some(relation) = super::find_relation(&names, range)? else {
            if statement.missing_ok {
                self.notice(format!("relation \"{}\" does not exist, skipping", range.relname));
                return Ok(command("ALTER SEQUENCE"));
            }
            return Err(relation_named(&names, range).expect_err("it was just not found"));
        };
        let RelationKind::Sequence(current) = &relation.kind else {
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a sequence", relation.name)));
        };
        self.lock_relation(relation.oid, LockMode::ShareRowExclusive, false).await?;
        let options = SequenceOptions::read(&statement.options, &names)?;
        let definition = options.define(Some(current))?;
        let owned_by = options.owner(&names)?;
        if let (Some(_), Some((table, _, true))) = (owned_by, relation.owned_by) {
            let table = names.catalog.relation(table).map(|table| table.name.to_string()).unwrap_or_default();
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "cannot change ownership of identity sequence")
                .detail(format!("Sequence \"{}\" is linked to table \"{table}\".", relation.name)));
        }
        let restart = options.restart.map(|value| value.unwrap_or(definition.start));
        self.open_transaction()?.txn.change_schema(|change| {
            let mut altered = Relation::clone(&relation);
            altered.kind = RelationKind::Sequence(definition.clone());
            if let Some(owned_by) = owned_by {
                altered.owned_by = owned_by;
            }
            change.catalog.put_relation(altered);
            Ok(())
        })?;
        if let Some(last_value) = restart {
            self.open_transaction()?.txn.restart_sequence(relation.oid, SequenceValue { last_value, is_called: false });
        }
        Ok(command("ALTER SEQUENCE"))
    }
}

impl Session {
    /// The sequence of an identity column follows its type: bounds that were the old type's become the new one's.
    pub(super) fn retype_identity_sequence(&mut self, table: Oid, position: usize, ty: SqlType) -> Result<()> {
        let catalog = self.names()?.catalog.clone();
        let Some(sequence) = catalog.relations().find(|other| other.owned_by == Some((table, position, true))) else {
            return Ok(());
        };
        let RelationKind::Sequence(current) = &sequence.kind else { return Ok(()) };
        let options = SequenceOptions { ty: Some(ty), ..SequenceOptions::default() };
        let definition = options.define(Some(current))?;
        self.put_altered(sequence, |altered| altered.kind = RelationKind::Sequence(definition))
    }
}

/// Options as written; None where the statement is silent.
#[derive(Debug, Default)]
struct SequenceOptions {
    ty: Option<SqlType>,
    start: Option<i64>,
    increment: Option<i64>,
    /// Some(None) is NO MINVALUE.
    minimum: Option<Option<i64>>,
    maximum: Option<Option<i64>>,
    cache: Option<i64>,
    cycle: Option<bool>,
    /// Some(None) is RESTART without a value.
    restart: Option<Option<i64>>,
    /// Table and column, or NONE as an empty list.
    owned_by: Option<Vec<String>>,
    /// SEQUENCE NAME of an identity column, as dumps write it.
    name: Vec<String>,
}

impl SequenceOptions {
    fn read(nodes: &[Node], names: &Arc<catalog::type_names::Names>) -> Result<SequenceOptions> {
        let mut options = SequenceOptions::default();
        for node in nodes {
            let Some(NodeEnum::DefElem(option)) = &node.node else { continue };
            options.read_one(option, names)?;
        }
        Ok(options)
    }

    fn read_one(&mut self, option: &DefElem, names: &Arc<catalog::type_names::Names>) -> Result<()> {
        let number = || -> Result<Option<i64>> {
            let Some(argument) = option.arg.as_deref() else { return Ok(None) };
            let text = option_text(argument).unwrap_or_default();
            text.parse().map(Some).map_err(|_| {
                Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("value \"{text}\" is out of range for type bigint"))
            })
        };
        let flag = || option.arg.as_deref().and_then(option_text).is_none_or(|text| text == "true" || text == "1");
        match option.defname.as_str() {
            "as" => {
                let Some(NodeEnum::TypeName(name)) = option.arg.as_deref().and_then(|argument| argument.node.as_ref()) else {
                    return Err(Error::internal("AS without a type"));
                };
                let ty = definition_text::resolve_type(name, names)?;
                if !matches!(ty.oid, Oid::INT2 | Oid::INT4 | Oid::INT8) {
                    return Err(Error::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        "sequence type must be smallint, integer, or bigint",
                    ));
                }
                self.ty = Some(ty);
            }
            "start" => self.start = number()?,
            "increment" => self.increment = number()?,
            "minvalue" => self.minimum = Some(number()?),
            "maxvalue" => self.maximum = Some(number()?),
            "cache" => self.cache = number()?,
            "cycle" => self.cycle = Some(flag()),
            "restart" => self.restart = Some(number()?),
            "owned_by" => {
                let Some(NodeEnum::List(list)) = option.arg.as_deref().and_then(|argument| argument.node.as_ref()) else {
                    return Err(Error::internal("OWNED BY without a name"));
                };
                self.owned_by = Some(strings(&list.items));
            }
            "sequence_name" => {
                let Some(NodeEnum::List(list)) = option.arg.as_deref().and_then(|argument| argument.node.as_ref()) else {
                    return Err(Error::internal("SEQUENCE NAME without a name"));
                };
                self.name = strings(&list.items);
            }
            "logged" | "unlogged" => {}
            other => return Err(Error::unsupported(format!("sequence option {other}"))),
        }
        Ok(())
    }

    /// The definition these options make, on top of an existing one for ALTER (init_params).
    fn define(&self, current: Option<&SequenceDefinition>) -> Result<SequenceDefinition> {
        let invalid = |message: String| Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        let ty = self.ty.or(current.map(|current| current.ty)).unwrap_or(SqlType::INT8);
        let increment = self.increment.or(current.map(|current| current.increment)).unwrap_or(1);
        if increment == 0 {
            return invalid("INCREMENT must not be zero".into());
        }
        let (type_minimum, type_maximum) = type_bounds(ty);
        // A changed type moves bounds that were the old type's own.
        let kept = |bound: i64, old: fn((i64, i64)) -> i64| match (current, self.ty) {
            (Some(current), Some(_)) => bound != old(type_bounds(current.ty)),
            _ => true,
        };
        let minimum = match (self.minimum, current) {
            (Some(Some(value)), _) => value,
            (None, Some(current)) if kept(current.minimum, |bounds| bounds.0) => current.minimum,
            _ if increment > 0 => 1,
            _ => type_minimum,
        };
        let maximum = match (self.maximum, current) {
            (Some(Some(value)), _) => value,
            (None, Some(current)) if kept(current.maximum, |bounds| bounds.1) => current.maximum,
            _ if increment > 0 => type_maximum,
            _ => -1,
        };
        let type_name = match ty.oid {
            Oid::INT2 => "smallint",
            Oid::INT4 => "integer",
            _ => "bigint",
        };
        if maximum < type_minimum || maximum > type_maximum {
            return invalid(format!("MAXVALUE ({maximum}) is out of range for sequence data type {type_name}"));
        }
        if minimum < type_minimum || minimum > type_maximum {
            return invalid(format!("MINVALUE ({minimum}) is out of range for sequence data type {type_name}"));
        }
        if minimum >= maximum {
            return invalid(format!("MINVALUE ({minimum}) must be less than MAXVALUE ({maximum})"));
        }
        let start = self.start.or(current.map(|current| current.start)).unwrap_or(if increment > 0 { minimum } else { maximum });
        if start < minimum {
            return invalid(format!("START value ({start}) cannot be less than MINVALUE ({minimum})"));
        }
        if start > maximum {
            return invalid(format!("START value ({start}) cannot be greater than MAXVALUE ({maximum})"));
        }
        if let Some(restart) = self.restart.flatten() {
            if restart < minimum {
                return invalid(format!("RESTART value ({restart}) cannot be less than MINVALUE ({minimum})"));
            }
            if restart > maximum {
                return invalid(format!("RESTART value ({restart}) cannot be greater than MAXVALUE ({maximum})"));
            }
        }
        let cache = self.cache.or(current.map(|current| current.cache)).unwrap_or(1);
        if cache <= 0 {
            return invalid(format!("CACHE ({cache}) must be greater than zero"));
        }
        let cycle = self.cycle.or(current.map(|current| current.cycle)).unwrap_or(false);
        Ok(SequenceDefinition { ty, start, increment, minimum, maximum, cache, cycle })
    }

    /// The column that OWNED BY names; Some(None) for NONE, None when not written.
    fn owner(&self, names: &Arc<catalog::type_names::Names>) -> Result<Option<Option<(Oid, usize, bool)>>> {
        let Some(parts) = &self.owned_by else { return Ok(None) };
        let invalid = |message: &str| Error::new(SqlState::SYNTAX_ERROR, message);
        match parts.split_last() {
            Some((none, [])) if none == "none" => Ok(Some(None)),
            Some((column, table)) if !table.is_empty() => {
                let relation = relation_named(names, &super::range_of(table))?;
                let (position, _) = relation.attribute(column).ok_or_else(|| {
                    Error::new(
                        SqlState::UNDEFINED_COLUMN,
                        format!("column \"{column}\" of relation \"{}\" does not exist", relation.name),
                    )
                })?;
                Ok(Some(Some((relation.oid, position, false))))
            }
            _ => Err(invalid("invalid OWNED BY option").hint("Specify OWNED BY table.column or OWNED BY NONE.")),
        }
    }
}

fn type_bounds(ty: SqlType) -> (i64, i64) {
    match ty.oid {
        Oid::INT2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Oid::INT4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    }
}

#[expect(clippy::too_many_arguments, reason = "one argument a field of pg_class that differs")]
fn put_sequence(
    catalog: &mut Catalog,
    oid: Oid,
    schema: Oid,
    name: &str,
    owner: Oid,
    persistence: Persistence,
    definition: SequenceDefinition,
    owned_by: Option<(Oid, usize, bool)>,
) {
    let attribute = |name: &str, ty| Attribute {
        name: name.into(),
        ty,
        not_null: true,
        dropped: false,
        default: None,
        identity: None,
        generated: None,
        collation: Oid::INVALID,
        comment: None,
        storage: None,
        is_local: true,
    };
    catalog.put_relation(Relation {
        oid,
        schema,
        name: name.into(),
        owner,
        persistence,
        kind: RelationKind::Sequence(definition),
        attributes: vec![
            attribute("last_value", SqlType::INT8),
            attribute("log_cnt", SqlType::INT8),
            attribute("is_called", SqlType::BOOL),
        ],
        constraints: Vec::new(),
        indexes: Vec::new(),
        row_type: Oid::INVALID,
        row_array_type: Oid::INVALID,
        options: Vec::new(),
        comment: None,
        owned_by,
    });
}

/// The schema and name of a column's sequence: as it was given, or made up.
///
/// Errors: 3F000, 42P07.
fn owned_name(catalog: &Catalog, table: &Relation, given: &[String], attribute: &Attribute) -> Result<(Oid, String)> {
    let (schema, name) = match given {
        [] => {
            let name = object_names::free_relation_name(catalog, table.schema, &table.name, Some(&attribute.name), "seq", &[]);
            return Ok((table.schema, name));
        }
        [.., schema, name] => {
            let missing = || Error::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{schema}\" does not exist"));
            (catalog.schema_named(schema).ok_or_else(missing)?.oid, name)
        }
        [name] => (table.schema, name),
    };
    if catalog.relation_named(schema, name).is_some() {
        return Err(Error::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists")));
    }
    Ok((schema, name.clone()))
}

/// Makes the sequence of a serial or identity column and returns the default that draws from it.
pub(crate) fn create_owned(
    catalog: &mut Catalog,
    table: &Relation,
    position: usize,
    attribute: &Attribute,
    new: NewSequence,
) -> Result<Arc<str>> {
    let names = Arc::new(catalog::type_names::Names::new(Arc::new(catalog.clone()), Vec::new()));
    let mut options = SequenceOptions::read(&new.options, &names)?;
    options.ty = Some(new.ty);
    let definition = options.define(None)?;
    let oid = catalog.allocate_oid();
    let (schema, name) = owned_name(catalog, table, &options.name, attribute)?;
    let owned_by = Some((table.oid, position, attribute.identity.is_some()));
    put_sequence(catalog, oid, schema, &name, table.owner, table.persistence, definition, owned_by);
    let schema = catalog.schema(schema).map_or_else(String::new, |schema| schema.name.to_string());
    let qualified = catalog::type_names::quote_qualified(Some(&schema), &name);
    Ok(format!("nextval({}::regclass)", catalog::type_names::quote_literal(&qualified)).into())
}
