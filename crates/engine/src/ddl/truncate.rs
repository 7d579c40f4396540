//! TRUNCATE.

use catalog::{Relation, RelationKind};
use pg_query::{NodeEnum, protobuf::TruncateStmt};
use storage::TableData;
use txn::{LockMode, SequenceValue};
use types::{Error, Result, SqlState};

use crate::session::{Outcome, Session, utility::command};

impl Session {
    /// Gives each table new, empty storage: O(1), and undone by rollback.
    pub(crate) async fn truncate(&mut self, statement: &TruncateStmt) -> Result<Outcome> {
        let mut tables: Vec<std::sync::Arc<Relation>> = Vec::new();
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
        let shapes = tables.iter().map(|table| self.index_shapes_of(table)).collect::<Result<Vec<_>>>()?;
        self.open_transaction()?.txn.change_schema(|change| {
            for (table, shapes) in tables.iter().zip(shapes) {
                let physical: Vec<_> = table.attributes.iter().map(|attribute| attribute.ty.physical).collect();
                let mut data = TableData::new(&physical);
                for shape in shapes {
                    data.indexes.push((shape, storage::IndexTree::default()));
                }
                let Some(old) = table.storage() else { continue };
                let fresh = change.allocate_table();
                let mut altered = Relation::clone(table);
                altered.kind = RelationKind::Table { storage: fresh };
                change.catalog.put_relation(altered);
                change.remove_table(old);
                change.put_table(fresh, data);
            }
            Ok(())
        })?;
        if statement.restart_seqs {
            self.restart_owned_sequences(&tables)?;
        }
        Ok(command("TRUNCATE TABLE"))
    }

    /// RESTART IDENTITY
    fn restart_owned_sequences(&mut self, tables: &[std::sync::Arc<Relation>]) -> Result<()> {
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
