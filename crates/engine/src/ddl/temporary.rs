//! Temporary relations: they live in a schema of their session's own and go with it.

use std::sync::Arc;

use catalog::Schema;
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

    /// DISCARD TEMP, and the end of a session.
    pub(crate) fn drop_temporary_relations(&mut self) -> Result<()> {
        if !self.has_temporary_schema {
            return Ok(());
        }
        let name = self.temporary_schema_name();
        let names = self.names()?;
        let Some(schema) = names.catalog.schema_named(&name).map(|schema| schema.oid) else { return Ok(()) };
        let doomed: Vec<Oid> =
            names.catalog.relations().filter(|relation| relation.schema == schema).map(|relation| relation.oid).collect();
        self.open_transaction()?.txn.change_schema(|change| {
            for oid in doomed {
                super::drop::remove_relation(change, oid);
            }
            Ok(())
        })
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
