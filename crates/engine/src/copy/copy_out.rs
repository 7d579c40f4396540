//! COPY TO: rows of a table or a query, encoded as they are pulled.

use std::{io::Write, sync::Arc};

use pg_query::{
    NodeEnum,
    protobuf::{CopyStmt, Node},
};
use types::{Error, FormatSettings, Result, SqlState, text_format::TypeResolver};

use super::{CopyOptions, encode::Encoder, file_error, flags_for, flags_for_result, options::CopyFormat, query_of};
use crate::session::{Outcome, Rows, Session, query::Planned, utility::command};

/// Data for the client, in pieces.
pub struct CopyOut {
    rows: Rows,
    encoder: Encoder,
    settings: Arc<FormatSettings>,
    resolver: Arc<dyn TypeResolver + Send + Sync>,
    started: bool,
    finished: bool,
    count: u64,
}

impl CopyOut {
    pub fn column_count(&self) -> usize {
        self.rows.columns.len()
    }

    pub fn is_binary(&self) -> bool {
        matches!(self.encoder.options.format, CopyFormat::Binary | CopyFormat::Heliodump | CopyFormat::Parquet)
    }

    /// The command tag once all data has been taken.
    pub fn tag(&self) -> String {
        format!("COPY {}", self.count)
    }

    /// Appends pieces of data to `out`, each a row (as PostgreSQL sends one CopyData a row), telling where each ends.
    /// False when there is no more.
    pub fn next(&mut self, session: &mut Session, out: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<bool> {
        if self.finished {
            return Ok(false);
        }
        if !self.started {
            self.started = true;
            let columns = self.rows.columns.clone();
            let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
            self.encoder.start(&names, out)?;
            if !out.is_empty() {
                ends.push(out.len());
            }
        }
        match session.next_batch(&mut self.rows)? {
            Some(batch) if matches!(self.encoder.options.format, CopyFormat::Heliodump | CopyFormat::Parquet) => {
                let before = out.len();
                self.encoder.batch(&batch, &self.settings, &*self.resolver, out)?;
                if out.len() > before {
                    ends.push(out.len());
                }
                self.count += batch.len as u64;
            }
            Some(batch) => {
                for row in 0..batch.len {
                    self.encoder.row(&batch, row, &self.settings, &*self.resolver, out);
                    ends.push(out.len());
                }
                self.count += batch.len as u64;
            }
            None => {
                self.finished = true;
                let before = out.len();
                self.encoder.finish(out)?;
                if out.len() > before {
                    ends.push(out.len());
                }
            }
        }
        Ok(true)
    }
}

impl Session {
    pub(crate) async fn begin_copy_out(&mut self, statement: &CopyStmt, options: CopyOptions) -> Result<CopyOut> {
        let (planned, force_quote) = match query_of(statement) {
            Some(query) => {
                let planned = self.plan_copy_query(query)?;
                let force_quote = flags_for_result(options.force_quote.as_ref(), &planned.columns)?;
                (planned, force_quote)
            }
            None => {
                let (relation, positions) = self.copy_columns(statement)?;
                if relation.storage().is_none() {
                    let error = Error::new(
                        SqlState::WRONG_OBJECT_TYPE,
                        format!("cannot copy from {} \"{}\"", relation.kind_name(), relation.name),
                    );
                    return Err(if relation.relkind() == 'v' {
                        error.hint("Try the COPY (SELECT ...) TO variant.")
                    } else {
                        error
                    });
                }
                let force_quote = flags_for(options.force_quote.as_ref(), &relation, &positions, "FORCE_QUOTE")?;
                let names = self.names()?;
                let schema = names.catalog.schema(relation.schema).map_or_else(String::new, |schema| schema.name.to_string());
                let list: Vec<String> = positions
                    .iter()
                    .map(|&position| catalog::type_names::quote_identifier(&relation.attributes[position].name).into_owned())
                    .collect();
                let table = catalog::type_names::quote_qualified(Some(&schema), &relation.name);
                let parsed = binder::parse::parse(&format!("SELECT {} FROM {table}", list.join(", ")))?;
                let query = parsed.first().ok_or_else(|| Error::internal("a COPY query that is empty"))?;
                (self.plan(&query.node, None, &[])?, force_quote)
            }
        };
        let Outcome::Rows(rows) = self.run_planned(&planned, Arc::from([])).await? else {
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "COPY query must have a RETURNING clause"));
        };
        let context = crate::session::environment::eval_context(self, Arc::from([]))?;
        let names = self.names()?;
        let open = self.open_transaction()?;
        let types = planned.columns.iter().map(|column| column.ty).collect();
        Ok(CopyOut {
            rows,
            encoder: Encoder::new(options, types, force_quote, context),
            settings: open.format.clone(),
            resolver: names,
            started: false,
            finished: false,
            count: 0,
        })
    }

    fn plan_copy_query(&mut self, query: &Node) -> Result<Arc<Planned>> {
        match &query.node {
            Some(NodeEnum::SelectStmt(select)) if select.into_clause.is_some() => {
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "COPY (SELECT INTO) is not supported"));
            }
            Some(NodeEnum::SelectStmt(_)) => {}
            Some(NodeEnum::InsertStmt(insert)) if insert.returning_clause.is_some() => {}
            Some(NodeEnum::UpdateStmt(update)) if update.returning_clause.is_some() => {}
            Some(NodeEnum::DeleteStmt(delete)) if delete.returning_clause.is_some() => {}
            _ => return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "COPY query must have a RETURNING clause")),
        }
        self.plan(query, None, &[])
    }

    pub(crate) fn copy_to_file(&mut self, mut copy: Box<CopyOut>, path: &str) -> Result<Outcome> {
        if !path.starts_with('/') {
            return Err(Error::new(SqlState::INVALID_NAME, "relative path not allowed for COPY to file"));
        }
        let mut file = std::fs::File::create(path).map_err(|error| file_error("writing", path, &error))?;
        let (mut out, mut ends) = (Vec::new(), Vec::new());
        while copy.next(self, &mut out, &mut ends)? {
            file.write_all(&out)
                .map_err(|error| Error::new(SqlState::IO_ERROR, format!("could not write to COPY file: {error}")))?;
            out.clear();
            ends.clear();
        }
        Ok(command(&copy.tag()))
    }
}
