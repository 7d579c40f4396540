//! CREATE VIEW.

use std::sync::Arc;

use catalog::{Relation, RelationKind};
use pg_query::protobuf::{Node, ViewCheckOption, ViewStmt};
use types::{Error, Oid, Result, SqlState};

use super::{create_table_as::attributes_of, register_row_type, strings};
use crate::session::{Outcome, Session, utility::command};

/// WITH CHECK OPTION, which is one of a view's options.
///
/// Errors: 22023.
pub(super) fn check_option_of(options: &[Arc<str>]) -> Result<Option<Arc<str>>> {
    let Some(value) = options.iter().find_map(|option| option.strip_prefix("check_option=")) else { return Ok(None) };
    if ["local", "cascaded"].iter().any(|known| known.eq_ignore_ascii_case(value)) {
        return Ok(Some(value.to_ascii_lowercase().into()));
    }
    let message = format!("invalid value for enum option \"check_option\": {value}");
    Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).detail("Valid values are \"local\" and \"cascaded\"."))
}

impl Session {
    pub(crate) async fn create_view(&mut self, statement: &ViewStmt) -> Result<Outcome> {
        let range = statement.view.as_ref().ok_or_else(|| Error::internal("CREATE VIEW without a name"))?;
        let query: &Node = statement.query.as_deref().ok_or_else(|| Error::internal("CREATE VIEW without a query"))?;
        let (schema, persistence) = self.creation_schema(range).await?;
        let names = self.names()?;
        let existing = match names.relation_in(schema, &range.relname) {
            Some(catalog::type_names::NamedRelation::User(relation)) if statement.replace => {
                if !matches!(relation.kind, RelationKind::View { .. }) {
                    return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a view", relation.name)));
                }
                Some(relation)
            }
            Some(_) => {
                return Err(Error::new(SqlState::DUPLICATE_TABLE, format!("relation \"{}\" already exists", range.relname)));
            }
            None => None,
        };
        let planned = self.plan(query, None, &[])?;
        if !planned.parameters.is_empty() {
            return Err(Error::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        let attributes = attributes_of(&planned.columns, &strings(&statement.aliases))?;
        if let Some(existing) = &existing {
            refuse_changed_columns(existing, &attributes)?;
        }
        let environment = self.environment(names.clone())?;
        let query = Arc::new(binder::store_query(query, &environment)?);
        let mut options = super::temporary::storage_options(&statement.options)?;
        match ViewCheckOption::try_from(statement.with_check_option) {
            Ok(ViewCheckOption::LocalCheckOption) => options.push("check_option=local".into()),
            Ok(ViewCheckOption::CascadedCheckOption) => options.push("check_option=cascaded".into()),
            _ => {}
        }
        let check_option = check_option_of(&options)?;
        let owner = self.current_role().oid;
        self.open_transaction()?.txn.change_schema(|change| {
            let (oid, row_type, row_array_type, comment) = match &existing {
                Some(view) => (view.oid, view.row_type, view.row_array_type, view.comment.clone()),
                None => {
                    let oid = change.catalog.allocate_oid();
                    let (row, array) = register_row_type(change.catalog, oid, schema, &range.relname, owner);
                    (oid, row, array, None)
                }
            };
            change.catalog.put_relation(Relation {
                oid,
                schema,
                name: range.relname.as_str().into(),
                owner,
                persistence,
                kind: RelationKind::View { query, check_option },
                attributes,
                constraints: Vec::new(),
                indexes: Vec::new(),
                row_type,
                row_array_type,
                options,
                comment,
                owned_by: None,
            });
            Ok(())
        })?;
        Ok(command("CREATE VIEW"))
    }
}

/// CREATE OR REPLACE VIEW may only add columns at the end.
fn refuse_changed_columns(view: &Relation, new: &[catalog::Attribute]) -> Result<()> {
    let invalid = |message: String| Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message));
    if new.len() < view.attributes.len() {
        return invalid("cannot drop columns from view".into());
    }
    for (old, new) in view.attributes.iter().zip(new) {
        if old.name != new.name {
            return Err(Error::new(
                SqlState::INVALID_TABLE_DEFINITION,
                format!("cannot change name of view column \"{}\" to \"{}\"", old.name, new.name),
            )
            .hint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead."));
        }
        if old.ty != new.ty {
            let names = catalog::type_names::Names::new(Arc::default(), vec![Oid::PUBLIC_NAMESPACE]);
            return invalid(format!(
                "cannot change data type of view column \"{}\" from {} to {}",
                old.name,
                names.format_type(old.ty),
                names.format_type(new.ty)
            ));
        }
    }
    Ok(())
}
