//! What running a statement gives: rows to pull, a command tag, or a COPY conversation.

use std::{collections::VecDeque, sync::Arc};

use executor::{Execution, Reservation};
use expr::Batch;
use plan::OutputColumn;
use types::Datum;

use crate::{
    copy::{CopyIn, CopyOut},
    timer::Deadline,
};

/// The result of one statement.
pub enum Outcome {
    Rows(Rows),
    /// Done; the command tag.
    Command(String),
    /// The client is to send data.
    CopyIn(Box<CopyIn>),
    /// Data for the client.
    CopyOut(Box<CopyOut>),
    /// An empty query string.
    Empty,
}

impl Outcome {
    /// The same, its rows to be computed before the deadline.
    pub(crate) fn until(mut self, deadline: Option<Deadline>) -> Outcome {
        if let Outcome::Rows(rows) = &mut self {
            rows.deadline = deadline;
        }
        self
    }
}

/// Rows of a statement, pulled by [`crate::Session::next_batch`].
pub struct Rows {
    pub columns: Arc<[OutputColumn]>,
    /// A simple query sends them in binary form: FETCH from a BINARY cursor.
    pub is_binary: bool,
    pub(crate) source: RowSource,
    pub(crate) tag: Tag,
    /// Rows given out so far.
    pub(crate) sent: u64,
    /// The statement's timeout, armed while its rows are being computed.
    pub(crate) deadline: Option<Deadline>,
    /// For rows that are there already.
    pub(crate) memory: Option<Reservation>,
}

pub(crate) enum RowSource {
    /// Computed as they are pulled, from an immutable view.
    Streaming { execution: Box<Execution>, long: bool },
    /// All there already: rows of RETURNING and FOR UPDATE, of SHOW and EXPLAIN.
    Buffered(VecDeque<Batch>),
}

/// The command tag once the rows are done.
#[derive(Clone, Debug)]
pub(crate) enum Tag {
    /// The word and the count of rows sent: SELECT 5, FETCH 5.
    Counted(&'static str),
    /// Known from the start: INSERT 0 3, SHOW.
    Fixed(String),
}

impl Rows {
    pub(crate) fn buffered(columns: Arc<[OutputColumn]>, batches: impl Into<VecDeque<Batch>>, tag: Tag) -> Rows {
        Rows {
            columns,
            is_binary: false,
            source: RowSource::Buffered(batches.into()),
            tag,
            sent: 0,
            deadline: None,
            memory: None,
        }
    }

    /// The same, with what its rows hold in memory.
    pub(crate) fn holding(mut self, memory: Reservation) -> Rows {
        self.memory = Some(memory);
        self
    }

    /// Rows of values, for statements that are not queries.
    pub(crate) fn of_datums(columns: Arc<[OutputColumn]>, rows: &[Vec<Datum>], tag: Tag) -> Rows {
        let vectors = columns
            .iter()
            .enumerate()
            .map(|(at, column)| Arc::new(storage::Column::from_datums(column.ty.physical, rows.iter().map(|row| &row[at]))))
            .collect();
        Rows::buffered(columns, [Batch::new(vectors, rows.len())], tag)
    }

    /// The command tag, when all rows have been pulled (or the client wants no more).
    pub fn tag(&self) -> String {
        match &self.tag {
            Tag::Counted(word) => format!("{word} {}", self.sent),
            Tag::Fixed(tag) => tag.clone(),
        }
    }
}
