//! The extended protocol: Parse, Bind, Describe, Execute, Close.

use std::io;

use engine::{Session, session::extended::PortalStep};
use types::{Datum, Error, SqlType, binary_format::datum_from_binary, text_format::datum_from_text};

use crate::{
    connection::Connection,
    copy::CopyState,
    protocol::{
        backend,
        frontend::{self, Bind, Message},
        rows::RowEncoder,
    },
};

impl Connection {
    /// Handles one message; an error makes the client's messages up to Sync be skipped.
    pub(crate) async fn extended(&mut self, session: &mut Session, message: Message) -> io::Result<Result<(), Error>> {
        Ok(match message {
            Message::Parse { statement, query, parameter_types } => {
                if statement.is_empty() {
                    session.close_statement("");
                }
                match session.prepare(&statement, &query, &parameter_types) {
                    Ok(_) => {
                        backend::plain(&mut self.output, b'1');
                        Ok(())
                    }
                    Err(error) => {
                        self.begin_record(&query);
                        Err(error)
                    }
                }
            }
            Message::Bind(bind) => self.bind(session, bind),
            Message::Describe { is_portal: false, name } => self.describe_statement(session, &name),
            Message::Describe { is_portal: true, name } => self.describe_portal(session, &name),
            Message::Execute { portal, limit } => return self.execute(session, &portal, limit).await,
            Message::Close { is_portal, name } => {
                if is_portal {
                    session.close_portal(&name);
                } else {
                    session.close_statement(&name);
                }
                backend::plain(&mut self.output, b'3');
                Ok(())
            }
            _ => Err(Error::internal("a message that is not of the extended protocol")),
        })
    }

    fn bind(&mut self, session: &mut Session, bind: Bind) -> Result<(), Error> {
        let bound = bind_portal(session, bind);
        match bound {
            Ok(()) => {
                backend::plain(&mut self.output, b'2');
                Ok(())
            }
            Err(error) => Err(session.refuse_message(error)),
        }
    }

    fn describe_statement(&mut self, session: &mut Session, name: &str) -> Result<(), Error> {
        let statement = session.prepared_statement(name).map_err(|error| session.refuse_message(error))?;
        backend::parameter_description(&mut self.output, &statement.parameters);
        match &statement.columns {
            Some(columns) => {
                let columns = columns.clone();
                let types = session.wire_types(&columns);
                backend::row_description(&mut self.output, &columns, &types, &[]);
            }
            None => backend::plain(&mut self.output, b'n'),
        }
        Ok(())
    }

    fn describe_portal(&mut self, session: &mut Session, name: &str) -> Result<(), Error> {
        match session.portal(name) {
            Ok(portal) => {
                let (columns, formats) = (portal.statement.columns.clone(), portal.formats.clone());
                match columns {
                    Some(columns) => {
                        let types = session.wire_types(&columns);
                        backend::row_description(&mut self.output, &columns, &types, &formats);
                    }
                    None => backend::plain(&mut self.output, b'n'),
                }
                Ok(())
            }
            Err(error) => match session.cursor_columns(name) {
                Some(columns) => {
                    let types = session.wire_types(&columns);
                    backend::row_description(&mut self.output, &columns, &types, &[]);
                    Ok(())
                }
                None => Err(session.refuse_message(error)),
            },
        }
    }

    async fn execute(&mut self, session: &mut Session, name: &str, limit: i32) -> io::Result<Result<(), Error>> {
        let limit = usize::try_from(limit).unwrap_or(0);
        let mut given = 0;
        if self.is_audited()
            && let Ok(portal) = session.portal(name)
        {
            self.begin_record(&portal.statement.text);
        }
        let mut encoder: Option<RowEncoder> = None;
        loop {
            let step = match session.execute_portal(name, limit, given).await {
                Ok(step) => step,
                Err(error) => return Ok(Err(error)),
            };
            match step {
                PortalStep::Rows(batch) => {
                    given += batch.len;
                    let encoder = match &mut encoder {
                        Some(encoder) => encoder,
                        None => match portal_encoder(session, name) {
                            Ok(made) => encoder.insert(made),
                            Err(error) => return Ok(Err(error)),
                        },
                    };
                    if let Err(error) = self.send_rows(session, encoder, &batch).await? {
                        return Ok(Err(session.refuse_message(error)));
                    }
                }
                PortalStep::Suspended => {
                    if let Some(running) = self.running.take() {
                        running.suspended(given);
                    }
                    backend::plain(&mut self.output, b's');
                    return Ok(Ok(()));
                }
                PortalStep::Complete(tag) => {
                    self.end_record(&tag);
                    self.forward_notices(session);
                    backend::command_complete(&mut self.output, &tag);
                    return Ok(Ok(()));
                }
                PortalStep::Empty => {
                    self.end_record("");
                    backend::plain(&mut self.output, b'I');
                    return Ok(Ok(()));
                }
                PortalStep::CopyIn(copy) => {
                    backend::copy_response(&mut self.output, b'G', copy.is_binary(), copy.column_count());
                    self.copy = Some(CopyState { copy, rest: None });
                    self.flush().await?;
                    return Ok(Ok(()));
                }
                PortalStep::CopyOut(copy) => {
                    return Ok(match self.copy_out(session, *copy).await? {
                        Ok(tag) => {
                            self.end_record(&tag);
                            backend::command_complete(&mut self.output, &tag);
                            Ok(())
                        }
                        Err(error) => Err(error),
                    });
                }
            }
        }
    }
}

fn portal_encoder(session: &mut Session, name: &str) -> Result<RowEncoder, Error> {
    let (settings, resolver) = session.formats()?;
    let portal = session.portal(name)?;
    let columns = portal.statement.columns.clone().unwrap_or_else(|| std::sync::Arc::from([]));
    Ok(RowEncoder::new(&columns, &portal.formats, settings, resolver))
}

fn bind_portal(session: &mut Session, bind: Bind) -> Result<(), Error> {
    let statement = session.prepared_statement(&bind.statement)?;
    statement.check_parameter_count(bind.parameters.len())?;
    let (settings, resolver) = session.formats()?;
    let mut parameters = Vec::with_capacity(bind.parameters.len());
    for (at, bytes) in bind.parameters.iter().enumerate() {
        let ty = statement.parameters.get(at).copied().unwrap_or(SqlType::TEXT);
        if let Some(bytes) = bytes {
            session.check_room_for_parameter(bytes, ty)?;
        }
        let value = match bytes {
            None => Datum::Null,
            Some(bytes) if backend::format_of(&bind.parameter_formats, at) == 1 => datum_from_binary(bytes, ty, &*resolver)
                .map_err(|error| error.context(format!("unnamed portal parameter ${}", at + 1)))?,
            Some(bytes) => datum_from_text(frontend::text(bytes)?, ty, &settings, &*resolver)
                .map_err(|error| error.context(format!("unnamed portal parameter ${} = '...'", at + 1)))?,
        };
        parameters.push(value);
    }
    if bind.portal.is_empty() {
        session.close_portal("");
    }
    session.bind(&bind.portal, &bind.statement, parameters, bind.result_formats)
}
