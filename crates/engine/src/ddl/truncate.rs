//! TRUNCATE.

use std::sync::Arc;

use catalog::{Relation, RelationKind};
use pg_query::{
    NodeEnum,
    protobuf::{DropBehavior, TruncateStmt},
};
use storage::TableData;
use txn::{LockMode, SequenceValue};
use types::{Error, Result, SqlState};

use crate::session::{Outcome, Session, utility::command};

impl Session {
    pub(crate) async fn truncate(&mut self, statement: &TruncateStmt) -> Result<Outcome> {
        let mut tables: Vec<Arc<Relation>> = Vec::new();
        for relation in &statement.relations {
            let Some(NodeEnum::RangeVar(range)) = &relation.node else { continue };
            let table = self.locked_relation(range, LockMode::AccessExclusive).await?;
            if !matches!(table.kind, RelationKind::Table { .. }) {
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a table", table.name)));
            }
            if !tables.iter().any(|known| known.oid == table.oid) {
                tables.push(table);
            }
        }
        let cascades = DropBehavior::try_from(statement.behavior) == Ok(DropBehavior::DropCascade);
        self.add_referencing_tables(&mut tables, cascades).await?;
        self.empty_tables(&tables)?;
        if statement.restart_seqs {
            self.restart_owned_sequences(&tables)?;
        }
        Ok(command("TRUNCATE TABLE"))
    }

    /// Gives each table new, empty storage: O(1), and undone by rollback.
    pub(crate) fn empty_tables(&mut self, tables: &[Arc<Relation>]) -> Result<()> {
        let shapes = tables.iter().map(|table| self.index_shapes_of(table)).collect::<Result<Vec<_>>>()?;
        self.open_transaction()?.txn.change_schema(|change| {
            for (table, shapes) in tables.iter().zip(shapes) {
                let physical: Vec<_> = table.attributes.iter().map(|attribute| attribute.ty.physical).collect();
                let mut data = TableData::new(&physical);
                for shape in shapes {
                    data.indexes.push((shape, storage::IndexTree::default()));
                }
                let Some(old) = table.storage() else { continue };
                data.activity = change.table(old)?.activity;
                let fresh = change.allocate_table();
                let mut altered = Relation::clone(table);
                altered.kind = RelationKind::Table { storage: fresh };
                change.catalog.put_relation(altered);
                change.remove_table(old);
                change.put_table(fresh, data);
            }
            Ok(())
        })
    }

    /// Tables whose rows reference those of a truncated one must be truncated too: CASCADE adds them.
    ///
    /// Errors: 0A000 without CASCADE.
    async fn add_referencing_tables(&mut self, tables: &mut Vec<Arc<Relation>>, cascades: bool) -> Result<()> {
        let mut at = 0;
        while at < tables.len() {
            let names = self.names()?;
            let referencing: Vec<_> = names
                .catalog
                .relations_referencing(tables[at].oid)
                .filter(|other| !tables.iter().any(|table| table.oid == other.oid))
                .cloned()
                .collect();
            for other in referencing {
                if !cascades {
                    let message = "cannot truncate a table referenced in a foreign key constraint";
                    return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                        .detail(format!("Table \"{}\" references \"{}\".", other.name, tables[at].name))
                        .hint(format!("Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.", other.name)));
                }
                self.notice(format!("truncate cascades to table \"{}\"", other.name));
                self.lock_relation(other.oid, LockMode::AccessExclusive, false).await?;
                tables.push(other);
            }
            at += 1;
        }
        Ok(())
    }

    /// RESTART IDENTITY
    fn restart_owned_sequences(&mut self, tables: &[Arc<Relation>]) -> Result<()> {
        let names = self.names()?;
        for sequence in names.catalog.relations() {
            let owned = sequence.owned_by.is_some_and(|(owner, _, _)| tables.iter().any(|table| table.oid == owner));
            if let (true, RelationKind::Sequence(definition)) = (owned, &sequence.kind) {
                let value = SequenceValue { last_value: definition.start, is_called: false };
                self.open_transaction()?.txn.restart_sequence(sequence.oid, value);
            }
        }
        Ok(())
    }
}
