//! Temporary relations: they live in a schema of their session's own and go with it.

use std::{
    future::Future,
    sync::Arc,
    task::{Context, Waker},
};

use catalog::{Object, RelationKind, Schema, UserTypeKind};
use pg_query::{NodeEnum, protobuf::Node};
use types::{Oid, Result};

use crate::session::{Session, utility::option_text};

impl Session {
    fn temporary_schema_name(&self) -> String {
        format!("pg_temp_{}", self.shared.pid)
    }

    /// The session's schema for temporary relations, made when first needed.
    pub(crate) fn temporary_schema(&mut self) -> Result<Oid> {
        let name = self.temporary_schema_name();
        if let Some(schema) = self.names()?.catalog.schema_named(&name) {
            return Ok(schema.oid);
        }
        let owner = self.current_role().oid;
        let schema = self.open_transaction()?.txn.change_schema(|change| {
            let oid = change.catalog.allocate_oid();
            change.catalog.put_schema(Schema { oid, name: name.as_str().into(), owner, comment: None });
            Ok(oid)
        })?;
        self.has_temporary_schema = true;
        Ok(schema)
    }

    pub(crate) fn is_temporary_schema(&self, schema: Oid) -> bool {
        self.transaction
            .as_ref()
            .is_some_and(|open| open.txn.catalog().schema(schema).is_some_and(|schema| schema.name.starts_with("pg_temp_")))
    }

    /// The end of a session: its temporary relations go, and their schema. Nobody else has locked them, so nothing is waited for.
    pub(crate) fn end_temporary_schema(&mut self) {
        if !self.has_temporary_schema {
            return;
        }
        self.shared.cancellation.clear();
        let ending = std::pin::pin!(async {
            self.drop_temporary_relations()?;
            let name = self.temporary_schema_name();
            self.open_transaction()?.txn.change_schema(|change| {
                if let Some(schema) = change.catalog.schema_named(&name).map(|schema| schema.oid) {
                    change.catalog.remove_schema(schema);
                }
                Ok(())
            })?;
            self.finish_script().await
        });
        // A session that ends has nobody to tell of an error; its next of the same number finds the schema then.
        drop(ending.poll(&mut Context::from_waker(Waker::noop())));
    }

    /// DISCARD TEMP, and the end of a session.
    pub(crate) fn drop_temporary_relations(&mut self) -> Result<()> {
        if !self.has_temporary_schema {
            return Ok(());
        }
        let name = self.temporary_schema_name();
        let names = self.names()?;
        let Some(schema) = names.catalog.schema_named(&name).map(|schema| schema.oid) else { return Ok(()) };
        // What is defined over them goes too, be it in another schema: a domain over a temporary table's rows.
        let members = names.catalog.relations().filter(|relation| relation.schema == schema);
        let doomed = members
            .filter(|relation| !matches!(relation.kind, RelationKind::Index(_)) && relation.owned_by.is_none())
            .map(|relation| Object::Relation(relation.oid));
        let types = names
            .catalog
            .user_types()
            .filter(|ty| ty.schema == schema && !matches!(ty.kind, UserTypeKind::Array { .. } | UserTypeKind::Composite { .. }));
        let doomed: Vec<Object> = doomed.chain(types.map(|ty| Object::Type(ty.oid))).collect();
        self.remove_quietly(&doomed)
    }
}

/// WITH (name = value) options, as `name=value`.
pub(crate) fn storage_options(nodes: &[Node]) -> Result<Vec<Arc<str>>> {
    Ok(nodes
        .iter()
        .filter_map(|node| match &node.node {
            Some(NodeEnum::DefElem(option)) => {
                let value = option.arg.as_deref().and_then(option_text).unwrap_or_else(|| "true".into());
                Some(format!("{}={value}", option.defname).into())
            }
            _ => None,
        })
        .collect())
}
