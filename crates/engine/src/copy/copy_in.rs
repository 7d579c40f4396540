//! COPY FROM: bytes to rows, rows through the same path as INSERT, staged together at the end.

use crate::definition_text;
use std::{io::Read, sync::Arc};

use catalog::Relation;
use executor::{Prepared, Reservation};
use expr::{Batch, ColumnId};
use pg_query::protobuf::CopyStmt;
use plan::{
    logical::{Given, LogicalPlan},
    statement::CteId,
};
use storage::{Column, FixedType};
use txn::{LockMode, Staged, StatementWrites};
use types::{
    Datum, Error, FormatSettings, Oid, Result, SqlState, SqlType,
    binary_format::datum_from_binary,
    text_format::{TypeResolver, parse_i32, parse_i64},
    typmod::{apply_typmod, fits_as_is},
};

use super::{
    CopyOptions,
    decode::{Decoder, Fields, Piece, invalid_utf8},
    file_error, flags_for, json_lines,
    options::{CopyFormat, Header},
    parquet,
    pending_rows::PendingRows,
    value_from_text,
};
use crate::session::{Outcome, Session, query::StatementTables, referential_integrity::References, utility::command};

/// Rows gathered before they go through the checks of INSERT.
const BATCH_ROWS: usize = 1024;

/// Names the input that a COPY's plan reads; no WITH query has this number.
const INPUT: CteId = CteId(u32::MAX);

/// A COPY FROM STDIN under way.
pub struct CopyIn {
    relation: Arc<Relation>,
    positions: Vec<usize>,
    types: Vec<SqlType>,
    format: CopyFormat,
    header: Header,
    decoder: Decoder,
    /// Received and not yet decoded.
    buffer: Vec<u8>,
    fields: Fields,
    /// How much of the buffer was looked at for what is no text.
    checked: usize,
    pending: PendingRows,
    line: u64,
    plan: Arc<Prepared>,
    tables: Arc<StatementTables>,
    context: expr::EvalContext,
    settings: Arc<FormatSettings>,
    resolver: Arc<dyn TypeResolver + Send + Sync>,
    writes: StatementWrites,
    references: Option<Arc<References>>,
    count: u64,
    ended: bool,
    /// For the changes so far, and for what is not decoded yet.
    memory: Reservation,
    buffer_memory: Reservation,
}

impl Session {
    pub(crate) async fn begin_copy_in(&mut self, statement: &CopyStmt, options: CopyOptions) -> Result<CopyIn> {
        let (relation, _) = self.copy_columns(statement)?;
        if !matches!(relation.kind, catalog::RelationKind::Table { .. }) {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("cannot copy to {} \"{}\"", relation.kind_name(), relation.name),
            ));
        }
        self.lock_relation(relation.oid, LockMode::RowExclusive, false).await?;
        self.begin_statement()?;
        let (relation, positions) = self.copy_columns(statement)?;
        self.check_copy_from(&relation, &positions)?;
        let mut decoder = Decoder::new(options.clone());
        decoder.force_not_null = flags_for(options.force_not_null.as_ref(), &relation, &positions, "FORCE_NOT_NULL")?;
        decoder.force_null = flags_for(options.force_null.as_ref(), &relation, &positions, "FORCE_NULL")?;
        // A domain's values come as its base's: INSERT's plan then asks the domain's constraints of them.
        let names = self.names()?;
        let types: Vec<SqlType> = positions.iter().map(|&at| names.base_type(relation.attributes[at].ty)).collect();
        let plan = self.copy_plan(&relation, &positions, &types, statement)?;
        let context = crate::session::environment::eval_context(self, Arc::from([]))?;
        let names = self.names()?;
        let tables = self.statement_tables(&[])?;
        let open = self.open_transaction()?;
        open.has_run_query = true;
        let settings = open.format.clone();
        self.end_statement();
        Ok(CopyIn {
            pending: PendingRows::new(&types),
            references: References::of(&[relation.oid], &names.catalog),
            relation,
            positions,
            types,
            format: options.format,
            header: options.header,
            decoder,
            buffer: Vec::new(),
            fields: Fields::default(),
            checked: 0,
            line: 0,
            plan,
            tables,
            context,
            settings,
            resolver: names,
            writes: StatementWrites::default(),
            count: 0,
            memory: self.reservation(),
            buffer_memory: self.reservation(),
            ended: false,
        })
    }

    /// The plan of `INSERT INTO t (columns)` whose source is the rows received.
    fn copy_plan(
        &mut self,
        relation: &Relation,
        positions: &[usize],
        types: &[SqlType],
        statement: &CopyStmt,
    ) -> Result<Arc<Prepared>> {
        let names = self.names()?;
        let schema = names.catalog.schema(relation.schema).map_or_else(String::new, |schema| schema.name.to_string());
        let table = catalog::type_names::quote_qualified(Some(&schema), &relation.name);
        let list: Vec<String> = positions
            .iter()
            .map(|&position| catalog::type_names::quote_identifier(&relation.attributes[position].name).into_owned())
            .collect();
        let parameters: Vec<String> = (1..=positions.len()).map(|number| format!("${number}")).collect();
        let sql = match positions {
            [] => format!("INSERT INTO {table} DEFAULT VALUES"),
            // COPY fills identity columns with what it is given, as OVERRIDING SYSTEM VALUE does.
            _ => format!("INSERT INTO {table} ({}) OVERRIDING SYSTEM VALUE VALUES ({})", list.join(", "), parameters.join(", ")),
        };
        let parsed = binder::parse::parse(&sql)?.pop().ok_or_else(|| Error::internal("a COPY plan that is empty"))?;
        let mut environment = self.environment(names.clone())?;
        environment.parameters = types.iter().copied().map(Some).collect();
        let mut bound = binder::bind(&parsed.node, &environment)?;
        let first = bound.query.next_column;
        let input: Vec<Given> = types.iter().enumerate().map(|(at, &ty)| Given { id: ColumnId(first + at as u32), ty }).collect();
        bound.query.next_column += types.len() as u32;
        let LogicalPlan::Insert(insert) = &mut bound.query.root else {
            return Err(Error::internal("a COPY plan that is no INSERT"));
        };
        // The parameters stand in a row of VALUES, whose columns the INSERT's values read.
        let given = values_columns(&insert.source)?;
        for value in &mut insert.values {
            replace_columns(value, &given, &input);
        }
        *insert.source = LogicalPlan::WorkTable { cte: INPUT, columns: input.clone() };
        if let Some(condition) = statement.where_clause.as_deref() {
            let named: Vec<(Arc<str>, Given)> = positions
                .iter()
                .zip(&input)
                .map(|(&position, given)| (relation.attributes[position].name.clone(), *given))
                .collect();
            let predicate = definition_text::bind_condition(condition, &named, binder::ExpressionKind::CopyWhere, &environment)?;
            let source = std::mem::replace(&mut *insert.source, LogicalPlan::WorkTable { cte: INPUT, columns: Vec::new() });
            *insert.source = LogicalPlan::Filter { input: Box::new(source), predicate };
        }
        let query = optimizer::optimize(bound.query, &names.catalog, &crate::session::query::NoStatistics)?;
        Ok(Arc::new(Prepared::new(Arc::new(query))?))
    }

    pub(crate) async fn copy_from_file(&mut self, mut copy: Box<CopyIn>, path: &str) -> Result<Outcome> {
        let mut file = std::fs::File::open(path).map_err(|error| file_error("reading", path, &error))?;
        let mut piece = vec![0; 1 << 16];
        loop {
            let read = file
                .read(&mut piece)
                .map_err(|error| Error::new(SqlState::IO_ERROR, format!("could not read from COPY file: {error}")))?;
            if read == 0 {
                break;
            }
            copy.feed(&piece[..read])?;
        }
        let tag = copy.complete(self).await?;
        Ok(command(&tag))
    }

    /// Ends a COPY FROM STDIN whose data has all come; the command tag.
    ///
    /// Errors: 22P04 and whatever INSERT finds; the transaction has failed then.
    pub async fn finish_copy_in(&mut self, copy: &mut CopyIn) -> Result<String> {
        copy.complete(self).await.map_err(|error| self.failed(error, ""))
    }

    /// The client gave up a COPY FROM STDIN, or broke off.
    pub fn fail_copy_in(&mut self, error: Error) -> Error {
        self.failed(error, "")
    }
}

/// What a row of VALUES gives: each column's id and its expression.
fn values_columns(plan: &LogicalPlan) -> Result<Vec<(ColumnId, expr::Expr)>> {
    match plan {
        LogicalPlan::Values { rows, columns } if rows.len() == 1 => {
            Ok(columns.iter().map(|column| column.id).zip(rows[0].iter().cloned()).collect())
        }
        LogicalPlan::Project { input, columns } => {
            let below = values_columns(input)?;
            let mut given = below.clone();
            for column in columns {
                let mut expression = column.expression.clone();
                substitute(&mut expression, &below);
                given.push((column.id, expression));
            }
            Ok(given)
        }
        _ => Err(Error::internal("a COPY plan of an unexpected form")),
    }
}

fn substitute(expression: &mut expr::Expr, given: &[(ColumnId, expr::Expr)]) {
    if let expr::Expr::Column { id, .. } = expression {
        if let Some((_, value)) = given.iter().find(|(known, _)| known == id) {
            *expression = value.clone();
        }
        return;
    }
    expression.for_each_child_mut(&mut |child| substitute(child, given));
}

fn replace_columns(value: &mut expr::Expr, given: &[(ColumnId, expr::Expr)], input: &[Given]) {
    substitute(value, given);
    replace_parameters(value, input);
}

/// Turns `$n` into the n-th input column.
fn replace_parameters(expression: &mut expr::Expr, input: &[Given]) {
    if let expr::Expr::Parameter { index, .. } = expression {
        let given = input[*index];
        *expression = expr::Expr::Column { id: given.id, ty: given.ty };
        return;
    }
    expression.for_each_child_mut(&mut |child| replace_parameters(child, input));
}

impl CopyIn {
    pub fn column_count(&self) -> usize {
        self.types.len()
    }

    pub fn is_binary(&self) -> bool {
        matches!(self.format, CopyFormat::Binary | CopyFormat::Heliodump | CopyFormat::Parquet)
    }

    /// Takes a piece of data as it came.
    ///
    /// Errors: 22P04, 22P02 and the like, with the line as context.
    pub fn feed(&mut self, data: &[u8]) -> Result<()> {
        // A line may be split over any number of pieces; a vector doubles as it grows.
        self.buffer_memory.shrink(usize::MAX);
        self.buffer_memory.grow(2 * (self.buffer.len() + data.len()))?;
        self.buffer.extend_from_slice(data);
        self.decode(false)
    }

    fn decode(&mut self, at_end: bool) -> Result<()> {
        if self.format == CopyFormat::Heliodump {
            return self.decode_batches(at_end);
        }
        if self.format == CopyFormat::Parquet {
            return if at_end { self.decode_parquet() } else { Ok(()) };
        }
        let buffer = std::mem::take(&mut self.buffer);
        let text_from = self.checked;
        let text = if self.is_binary() { None } else { self.check_text(&buffer, at_end) };
        let mut start = 0;
        let decoded = loop {
            if self.ended || start >= buffer.len() && !(at_end && self.is_binary()) {
                break Ok(());
            }
            match self.decoder.next(&buffer[start..], at_end, &mut self.fields) {
                Ok(Piece::Row(taken)) => {
                    let end = start + taken;
                    let line = text.and_then(|text| text.get(start.checked_sub(text_from)?..end - text_from));
                    if let Err(error) = self.take_row(&buffer[start..end], line) {
                        break Err(error);
                    }
                    start = end;
                }
                Ok(Piece::Broken(taken, error)) => {
                    let line = &buffer[start..start + taken];
                    // Of a quote that is not closed the last line end is a part.
                    let text = if self.format == CopyFormat::Csv { shown(line) } else { shown_line(line) };
                    let (number, line) = (self.line + self.lines_in(line), text);
                    break Err(error.context(format!("COPY {}, line {number}: \"{line}\"", self.relation.name)));
                }
                Ok(Piece::End) => self.ended = true,
                Ok(Piece::Incomplete) => break Ok(()),
                Err(error) => break Err(error.context(format!("COPY {}, line {}", self.relation.name, self.line + 1))),
            }
        };
        self.checked = self.checked.saturating_sub(start);
        self.buffer = buffer;
        self.buffer.drain(..start);
        if self.ended {
            self.buffer.clear();
        }
        decoded
    }

    /// What has come since the last time, up to the end of a line, when it is text. Otherwise, and in rows that began before, fields
    /// are looked at one by one, so that an error names its line.
    fn check_text<'a>(&mut self, buffer: &'a [u8], at_end: bool) -> Option<&'a str> {
        let end = if at_end { buffer.len() } else { memchr::memrchr(b'\n', buffer)? + 1 };
        let new = buffer.get(self.checked..end)?;
        self.checked = end;
        std::str::from_utf8(new).ok().filter(|_| memchr::memchr(0, new).is_none())
    }

    /// Whole batches of columns go on as they are.
    fn decode_batches(&mut self, at_end: bool) -> Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        let mut start = 0;
        while let Some(bytes) = durability::column_batch::next_batch(&buffer[start..]) {
            let input = |ty: SqlType, text: &str| value_from_text(text, ty, &self.settings, &*self.resolver);
            let decoded = durability::column_batch::decode(bytes, &self.types, input);
            start += 4 + bytes.len();
            let first = self.line + 1;
            let taken = decoded.and_then(|(rows, mut columns)| {
                self.line += rows as u64;
                // Storage keeps such columns as they are, and copies others.
                columns.iter_mut().for_each(Column::shrink);
                self.insert(Batch::new(columns.into_iter().map(Arc::new).collect(), rows))
            });
            taken.map_err(|error| error.context(format!("COPY {}, rows from {first}", self.relation.name)))?;
        }
        self.buffer = buffer;
        self.buffer.drain(..start);
        if at_end && !self.buffer.is_empty() {
            return Err(Error::new(SqlState::BAD_COPY_FILE_FORMAT, "unexpected EOF in COPY data"));
        }
        Ok(())
    }

    /// A Parquet file is read once it has come whole.
    fn decode_parquet(&mut self) -> Result<()> {
        let file = std::mem::take(&mut self.buffer);
        let (types, relation) = (self.types.clone(), self.relation.clone());
        let names = self.column_names(&relation);
        let (settings, resolver) = (self.settings.clone(), self.resolver.clone());
        let forms = parquet::Forms { settings: &settings, resolver: &*resolver };
        let copy = format!("COPY {}", relation.name);
        parquet::read(file, &names, &types, &forms, &copy, |batch| self.insert(batch))
    }

    fn column_names<'a>(&self, relation: &'a Relation) -> Vec<&'a str> {
        self.positions.iter().map(|&position| &*relation.attributes[position].name).collect()
    }

    /// A line with a JSON object.
    fn take_object(&mut self, line: &[u8]) -> Result<()> {
        let relation = self.relation.clone();
        let number = self.line;
        let in_line = |error: Error| error.context(format!("COPY {}, line {number}: \"{}\"", relation.name, shown_line(line)));
        let text = std::str::from_utf8(line).map_err(|error| in_line(invalid_utf8(&line[error.valid_up_to()..])))?;
        let names = self.column_names(&relation);
        let Some(values) = json_lines::split(text, &names).map_err(in_line)? else { return Ok(()) };
        for (at, value) in values.into_iter().enumerate() {
            let in_column = |error: Error| {
                let shown = value.map(|text| format!(": \"{}\"", shown(text.as_bytes()))).unwrap_or_default();
                error.context(format!("COPY {}, line {number}, column {}{shown}", relation.name, names[at]))
            };
            let datum = value.map_or(Ok(Datum::Null), |text| json_lines::decode(text, self.types[at], &self.context));
            self.pending.columns[at].push(&datum.map_err(in_column)?);
        }
        self.keep_line(line)
    }

    /// How many lines a row with these bytes takes. In the quotes of CSV line ends count, carriage returns in the first row, when
    /// PostgreSQL does not know yet what ends a line.
    fn lines_in(&self, row: &[u8]) -> u64 {
        let within = |line_end: u8| 1 + memchr::memchr_iter(line_end, row).count() as u64;
        match self.format {
            CopyFormat::Csv => within(if self.line > 0 { b'\n' } else { b'\r' }),
            _ => 1,
        }
    }

    /// One row cut into fields: skips the header, reads the values, and sends full batches on.
    fn take_row(&mut self, line: &[u8], text: Option<&str>) -> Result<()> {
        self.line += self.lines_in(without_line_end(line));
        if self.format == CopyFormat::Json {
            return self.take_object(line);
        }
        if self.line == 1 && self.header != Header::None {
            return if self.header == Header::Match { self.match_header(line) } else { Ok(()) };
        }
        let expected = self.types.len();
        let found = self.fields.len();
        let in_line = |error: Error, line_number: u64, relation: &Relation| {
            error.context(format!("COPY {}, line {line_number}: \"{}\"", relation.name, shown_line(line)))
        };
        let bad = |message: String| Error::new(SqlState::BAD_COPY_FILE_FORMAT, message);
        if self.is_binary() && found != expected {
            return Err(bad(format!("row field count is {found}, expected {expected}"))
                .context(format!("COPY {}, line {}", self.relation.name, self.line)));
        }
        if expected == 0 && found == 1 && self.fields.get(0, line).is_none_or(<[u8]>::is_empty) {
            // A row of no columns is an empty line.
        } else if found > expected {
            return Err(in_line(bad("extra data after last expected column".into()), self.line, &self.relation));
        }
        for at in 0..expected {
            if at == found {
                let name = &self.relation.attributes[self.positions[at]].name;
                return Err(in_line(bad(format!("missing data for column \"{name}\"")), self.line, &self.relation));
            }
            if let Err(error) = self.take_field(at, line, text) {
                // Bytes that are no text belong to no column yet.
                if error.sqlstate() == SqlState::CHARACTER_NOT_IN_REPERTOIRE {
                    return Err(error.context(format!("COPY {}, line {}", self.relation.name, self.line)));
                }
                let name = &self.relation.attributes[self.positions[at]].name;
                let value = self.fields.get(at, line).map(|bytes| format!(": \"{}\"", shown(bytes))).unwrap_or_default();
                return Err(error.context(format!("COPY {}, line {}, column {name}{value}", self.relation.name, self.line)));
            }
        }
        self.keep_line(line)
    }

    /// A row is complete in the pending columns.
    fn keep_line(&mut self, line: &[u8]) -> Result<()> {
        self.pending.end_row(self.line, line);
        if self.pending.len() >= BATCH_ROWS || self.pending.is_large() {
            self.flush()?;
        }
        Ok(())
    }

    fn take_field(&mut self, at: usize, line: &[u8], text: Option<&str>) -> Result<()> {
        let ty = self.types[at];
        let column = &mut self.pending.columns[at];
        if let Some(text) = text.and_then(|line| self.fields.get_text(at, line)) {
            return push_text(column, text, ty, &self.settings, &*self.resolver);
        }
        let Some(bytes) = self.fields.get(at, line) else {
            column.push(&Datum::Null);
            return Ok(());
        };
        if self.format == CopyFormat::Binary {
            let datum = datum_from_binary(bytes, ty, &*self.resolver)?;
            let datum = if ty.typmod < 0 { datum } else { apply_typmod(datum, ty, false)? };
            column.push(&datum);
            return Ok(());
        }
        let text = std::str::from_utf8(bytes).map_err(|error| invalid_utf8(&bytes[error.valid_up_to()..]))?;
        if text.contains('\0') {
            return Err(invalid_utf8(b"\0"));
        }
        push_text(column, text, ty, &self.settings, &*self.resolver)
    }

    fn match_header(&self, line: &[u8]) -> Result<()> {
        for (at, &position) in self.positions.iter().enumerate() {
            let name = &self.relation.attributes[position].name;
            let found = if at < self.fields.len() { self.fields.get(at, line) } else { None };
            let found = found.map(String::from_utf8_lossy);
            if found.as_deref() != Some(&**name) {
                let shown = found.map_or_else(|| "null".to_owned(), |text| format!("\"{text}\""));
                return Err(Error::new(
                    SqlState::BAD_COPY_FILE_FORMAT,
                    format!("column name mismatch in header line field {}: got {shown}, expected \"{name}\"", at + 1),
                )
                .context(format!("COPY {}, line 1", self.relation.name)));
            }
        }
        Ok(())
    }

    /// Sends the pending rows through INSERT's checks; the changes are kept for staging.
    fn flush(&mut self) -> Result<()> {
        if self.pending.len() == 0 {
            return Ok(());
        }
        let batch = self.pending.take();
        if let Err(error) = self.insert(batch.clone()) {
            // Which row was it? One at a time, the first to fail is the one.
            for row in 0..batch.len {
                if let Err(error) = self.insert(batch.take(&[row as u32])) {
                    let (number, line) = self.pending.line(row);
                    return Err(error.context(format!("COPY {}, line {number}: \"{}\"", self.relation.name, shown_line(line))));
                }
            }
            return Err(error);
        }
        self.pending.forget_lines();
        Ok(())
    }

    fn insert(&mut self, batch: Batch) -> Result<()> {
        let mut execution = self.plan.open_with_input(self.tables.clone(), self.context.clone(), INPUT, vec![batch])?;
        while execution.next_batch()?.is_some() {}
        self.count += execution.row_count();
        let writes = execution.writes();
        self.memory.absorb(execution.take_write_memory());
        for table in writes.tables {
            match self.writes.tables.iter_mut().find(|known| known.table == table.table) {
                Some(known) => known.inserts.extend(table.inserts),
                None => self.writes.tables.push(table),
            }
        }
        Ok(())
    }

    /// Reads what is left, stages all rows and gives the command tag.
    async fn complete(&mut self, session: &mut Session) -> Result<String> {
        self.decode(true)?;
        self.flush()?;
        let writes = std::mem::take(&mut self.writes);
        session.check_owners(&writes, &self.memory)?;
        // The data cannot be asked for again: it stays staged while a lock is waited for.
        loop {
            session.begin_statement()?;
            session.end_statement();
            match session.open_transaction()?.txn.stage(&writes) {
                Staged::Done => {
                    session.take_staged(&writes, std::mem::replace(&mut self.memory, session.reservation()))?;
                    session.check_statement_keys()?;
                    if let Some(references) = &self.references {
                        Box::pin(session.follow_up(references, &writes)).await?;
                    }
                    return Ok(format!("COPY {}", self.count));
                }
                Staged::Wait(wait) => session.wait_for_lock(wait).await?,
                Staged::Stale => session.shared().cancellation.check()?,
                Staged::Failed(error) => return Err(error),
            }
        }
    }
}

/// Appends a value given as text.
fn push_text(
    column: &mut Column,
    text: &str,
    ty: SqlType,
    settings: &FormatSettings,
    resolver: &(dyn TypeResolver + Send + Sync),
) -> Result<()> {
    match ty.oid {
        // The commonest types spare the way over a datum.
        Oid::INT4 => parse_i32(text)?.push(column),
        Oid::INT8 => parse_i64(text)?.push(column),
        _ if fits_as_is(text, ty) => column.push_text(text),
        _ => column.push(&value_from_text(text, ty, settings, resolver)?),
    }
    Ok(())
}

/// A line as error contexts show it.
fn shown_line(line: &[u8]) -> String {
    shown(without_line_end(line))
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The first hundred characters.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into_owned(),
    }
}

impl Session {
    /// Takes a piece of data of a COPY FROM STDIN.
    ///
    /// Errors: those of [`CopyIn::feed`]; the transaction has failed then.
    pub fn feed_copy_in(&mut self, copy: &mut CopyIn, data: &[u8]) -> Result<()> {
        copy.feed(data).map_err(|error| self.failed(error, ""))
    }
}
