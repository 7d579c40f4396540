//! COMMENT ON.

use crate::definition_text;
use std::sync::Arc;

use catalog::{Relation, Schema, UserType};
use pg_query::{
    NodeEnum,
    protobuf::{CommentStmt, ObjectType},
};
use types::{Error, Result, SqlState};

use super::{range_of, relation_named, statement_name::kind_word, strings};
use crate::session::{Outcome, Session, utility::command};

impl Session {
    pub(crate) fn comment(&mut self, statement: &CommentStmt) -> Result<Outcome> {
        let text: Option<Arc<str>> = (!statement.comment.is_empty()).then(|| statement.comment.as_str().into());
        let kind = ObjectType::try_from(statement.objtype).unwrap_or(ObjectType::Undefined);
        let object = statement.object.as_deref().and_then(|node| node.node.as_ref());
        let names = self.names()?;
        match (kind, object) {
            (ObjectType::ObjectColumn, Some(NodeEnum::List(list))) => {
                let parts = strings(&list.items);
                let Some((column, table)) = parts.split_last() else { return Err(Error::internal("COMMENT without a column")) };
                let relation = relation_named(&names, &range_of(table))?;
                let (position, _) = relation.attribute(column).ok_or_else(|| {
                    Error::new(
                        SqlState::UNDEFINED_COLUMN,
                        format!("column \"{column}\" of relation \"{}\" does not exist", relation.name),
                    )
                })?;
                self.put_altered(&relation, |altered| altered.attributes[position].comment = text)?;
            }
            (ObjectType::ObjectTabconstraint, Some(NodeEnum::List(list))) => {
                let parts = strings(&list.items);
                let Some((name, table)) = parts.split_last() else { return Err(Error::internal("COMMENT without a constraint")) };
                let relation = relation_named(&names, &range_of(table))?;
                let at = relation.constraints.iter().position(|constraint| &*constraint.name == name).ok_or_else(|| {
                    Error::new(
                        SqlState::UNDEFINED_OBJECT,
                        format!("constraint \"{name}\" for table \"{}\" does not exist", relation.name),
                    )
                })?;
                self.put_altered(&relation, |altered| altered.constraints[at].comment = text)?;
            }
            (
                ObjectType::ObjectTable
                | ObjectType::ObjectView
                | ObjectType::ObjectMatview
                | ObjectType::ObjectIndex
                | ObjectType::ObjectSequence,
                Some(NodeEnum::List(list)),
            ) => {
                let relation = relation_named(&names, &range_of(&strings(&list.items)))?;
                self.put_altered(&relation, |altered| altered.comment = text)?;
            }
            (ObjectType::ObjectSchema, Some(NodeEnum::String(name))) => {
                let schema = names.catalog.schema(names.schema(&name.sval)?).cloned();
                if let Some(schema) = schema {
                    let altered = Schema { comment: text, ..Schema::clone(&schema) };
                    self.open_transaction()?.txn.change_schema(|change| {
                        change.catalog.put_schema(altered);
                        Ok(())
                    })?;
                }
            }
            (ObjectType::ObjectType | ObjectType::ObjectDomain, Some(NodeEnum::TypeName(name))) => {
                let ty = definition_text::resolve_type(name, &names)?;
                let user_type = names.catalog.user_type(ty.oid).cloned().ok_or_else(|| {
                    Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("must be owner of type {}", names.format_type(ty)))
                })?;
                let altered = UserType { comment: text, ..UserType::clone(&user_type) };
                self.open_transaction()?.txn.change_schema(|change| {
                    change.catalog.put_type(altered);
                    Ok(())
                })?;
            }
            (ObjectType::ObjectDatabase, Some(NodeEnum::String(name))) => self.comment_on_database(&name.sval, text)?,
            (ObjectType::ObjectRole, Some(NodeEnum::String(name))) => self.comment_on_role(&name.sval, text)?,
            _ => return Err(Error::unsupported(format!("COMMENT ON {}", kind_word(kind).to_uppercase()))),
        }
        Ok(command("COMMENT"))
    }

    /// Replaces a relation by an altered copy.
    pub(crate) fn put_altered(&mut self, relation: &Relation, alter: impl FnOnce(&mut Relation)) -> Result<()> {
        let mut altered = relation.clone();
        alter(&mut altered);
        self.open_transaction()?.txn.change_schema(|change| {
            change.catalog.put_relation(altered);
            Ok(())
        })
    }
}
