//! What a scan of a table reads: attributes, row ids and system columns, from a chunk or from single rows.

use std::sync::Arc;

use catalog::Relation;
use expr::ColumnId;
use plan::{
    logical::{Given, SystemAttribute},
    physical::{PhysicalPlan, ScanSource},
};
use storage::{Chunk, Column, RowId, RowTree, TxnId};
use types::{Datum, Oid, Physical};

/// The columns of a scan: first those it gives out, then those only its filter reads.
pub(crate) struct ScanColumns {
    pub(crate) sources: Vec<(ScanSource, Physical)>,
    pub(crate) given: usize,
    pub(crate) layout: Vec<ColumnId>,
    table: Oid,
}

impl ScanColumns {
    pub(crate) fn new(
        plan: &PhysicalPlan,
        sources: &[ScanSource],
        hidden: &[(ScanSource, Given)],
        relation: &Relation,
    ) -> ScanColumns {
        let given = plan.columns.iter().zip(sources).map(|(given, source)| (*source, *given));
        let (mut all, mut layout) = (Vec::new(), Vec::new());
        for (source, column) in given.chain(hidden.iter().copied()) {
            all.push((source, column.ty.physical));
            layout.push(column.id);
        }
        ScanColumns { sources: all, given: sources.len(), layout, table: relation.oid }
    }

    /// One column over these slots of a chunk, or over all its slots.
    pub(crate) fn chunk_column(&self, at: usize, chunk: &Chunk, slots: Option<&[u32]>) -> Arc<Column> {
        let (source, physical) = self.sources[at];
        if let ScanSource::Attribute(attribute) = source {
            let column = &chunk.columns()[attribute];
            return match slots {
                None => column.clone(),
                Some(slots) => Arc::new(column.take(slots)),
            };
        }
        let len = slots.map_or(chunk.presence().len(), <[u32]>::len);
        let mut column = Column::with_capacity(physical, len);
        for position in 0..len {
            let slot = slots.map_or(position, |slots| slots[position] as usize);
            column.push(&self.system(source, chunk.row_id(slot), chunk.writer(slot)));
        }
        Arc::new(column)
    }

    /// The columns over single rows; a row that is no longer there is a broken index.
    pub(crate) fn gather(&self, at: usize, rows: &RowTree, ids: &[RowId]) -> Arc<Column> {
        let (source, physical) = self.sources[at];
        let mut column = Column::with_capacity(physical, ids.len());
        for &id in ids {
            let (chunk, slot) = rows.locate(id).expect("index entries name rows of the same value of the table");
            match source {
                ScanSource::Attribute(attribute) => column.push_from(&chunk.columns()[attribute], slot),
                _ => column.push(&self.system(source, id, chunk.writer(slot))),
            }
        }
        Arc::new(column)
    }

    fn system(&self, source: ScanSource, row: RowId, writer: TxnId) -> Datum {
        match source {
            ScanSource::Attribute(_) => unreachable!("attributes are read from their columns"),
            ScanSource::RowId => Datum::Int8(row.0 as i64),
            ScanSource::System(SystemAttribute::Ctid) => Datum::Text(format!("({},{})", row.0 / 128, row.0 % 128 + 1).into()),
            ScanSource::System(SystemAttribute::Xmin) => Datum::Oid(Oid(writer.0 as u32)),
            ScanSource::System(SystemAttribute::Xmax | SystemAttribute::Cmin | SystemAttribute::Cmax) => Datum::Oid(Oid(0)),
            ScanSource::System(SystemAttribute::TableOid) => Datum::Oid(self.table),
        }
    }
}
