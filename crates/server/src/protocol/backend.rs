//! Messages to the client, appended to the connection's output buffer.

use engine::system_catalog::WireType;
use engine::{Notification, session::TransactionStatus};
use expr::context::NoticeLevel;
use plan::OutputColumn;
use types::{Error, SqlType};

/// Appends one message: its kind, a length that is filled in afterwards, its body.
pub(crate) fn message(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = (out.len() - start) as i32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    // A zero byte cannot be sent; nothing of ours contains one, but a client's own text echoed in an error might.
    out.extend(text.bytes().filter(|byte| *byte != 0));
    out.push(0);
}

fn put_i16(out: &mut Vec<u8>, value: i16) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_i32(out: &mut Vec<u8>, value: i32) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn authentication_ok(out: &mut Vec<u8>) {
    message(out, b'R', |out| put_i32(out, 0));
}

/// Asks for the password itself.
pub(crate) fn authentication_cleartext(out: &mut Vec<u8>) {
    message(out, b'R', |out| put_i32(out, 3));
}

pub(crate) fn authentication_sasl(out: &mut Vec<u8>, mechanisms: &[&str]) {
    message(out, b'R', |out| {
        put_i32(out, 10);
        mechanisms.iter().for_each(|mechanism| string(out, mechanism));
        out.push(0);
    });
}

/// 11 goes on with the exchange, 12 ends it.
pub(crate) fn authentication_sasl_data(out: &mut Vec<u8>, step: i32, data: &[u8]) {
    message(out, b'R', |out| {
        put_i32(out, step);
        out.extend_from_slice(data);
    });
}

pub(crate) fn backend_key_data(out: &mut Vec<u8>, pid: i32, secret: i32) {
    message(out, b'K', |out| {
        put_i32(out, pid);
        put_i32(out, secret);
    });
}

pub(crate) fn parameter_status(out: &mut Vec<u8>, name: &str, value: &str) {
    message(out, b'S', |out| {
        string(out, name);
        string(out, value);
    });
}

/// The client asked for protocol options or a minor version this server does not have.
pub(crate) fn negotiate_protocol_version(out: &mut Vec<u8>, unsupported: &[String]) {
    message(out, b'v', |out| {
        put_i32(out, 3 << 16);
        put_i32(out, unsupported.len() as i32);
        unsupported.iter().for_each(|option| string(out, option));
    });
}

pub(crate) fn ready_for_query(out: &mut Vec<u8>, status: TransactionStatus) {
    let letter = match status {
        TransactionStatus::Idle => b'I',
        TransactionStatus::InBlock => b'T',
        TransactionStatus::Failed => b'E',
    };
    message(out, b'Z', |out| out.push(letter));
}

pub(crate) fn command_complete(out: &mut Vec<u8>, tag: &str) {
    message(out, b'C', |out| string(out, tag));
}

/// A message without a body: ParseComplete '1', BindComplete '2', CloseComplete '3', NoData 'n', PortalSuspended 's',
/// EmptyQueryResponse 'I', CopyDone 'c'.
pub(crate) fn plain(out: &mut Vec<u8>, kind: u8) {
    message(out, kind, |_| {});
}

/// The format of a column among the formats a client asked for.
pub(crate) fn format_of(formats: &[i16], column: usize) -> i16 {
    match formats {
        [] => 0,
        [all] => *all,
        each => each.get(column).copied().unwrap_or(0),
    }
}

/// `types` are the columns' types as clients are told them.
pub(crate) fn row_description(out: &mut Vec<u8>, columns: &[OutputColumn], types: &[WireType], formats: &[i16]) {
    message(out, b'T', |out| {
        put_i16(out, columns.len() as i16);
        for (at, (column, ty)) in columns.iter().zip(types).enumerate() {
            string(out, &column.name);
            let (table, attribute) = column.origin.map_or((0, 0), |(table, attribute)| (table.0, attribute));
            put_i32(out, table as i32);
            put_i16(out, attribute);
            put_i32(out, ty.oid.0 as i32);
            put_i16(out, ty.length);
            put_i32(out, ty.typmod);
            put_i16(out, format_of(formats, at));
        }
    });
}

pub(crate) fn parameter_description(out: &mut Vec<u8>, parameters: &[SqlType]) {
    message(out, b't', |out| {
        put_i16(out, parameters.len() as u16 as i16);
        parameters.iter().for_each(|ty| put_i32(out, ty.oid.0 as i32));
    });
}

/// CopyInResponse 'G' or CopyOutResponse 'H'.
pub(crate) fn copy_response(out: &mut Vec<u8>, kind: u8, is_binary: bool, columns: usize) {
    message(out, kind, |out| {
        out.push(u8::from(is_binary));
        put_i16(out, columns as i16);
        (0..columns).for_each(|_| put_i16(out, i16::from(is_binary)));
    });
}

pub(crate) fn notification_response(out: &mut Vec<u8>, notification: &Notification) {
    message(out, b'A', |out| {
        put_i32(out, notification.pid);
        string(out, &notification.channel);
        string(out, &notification.payload);
    });
}

/// How bad an error is for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Error,
    /// The connection ends.
    Fatal,
}

pub(crate) fn error_response(out: &mut Vec<u8>, severity: Severity, error: &Error) {
    let word = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    message(out, b'E', |out| fields(out, word, error));
}

pub(crate) fn notice_response(out: &mut Vec<u8>, level: NoticeLevel, notice: &Error) {
    let word = match level {
        NoticeLevel::Notice => "NOTICE",
        NoticeLevel::Warning => "WARNING",
        NoticeLevel::Info => "INFO",
        NoticeLevel::Log => "LOG",
        NoticeLevel::Debug => "DEBUG",
    };
    message(out, b'N', |out| fields(out, word, notice));
}

/// PostgreSQL: "Error and Notice Message Fields".
fn fields(out: &mut Vec<u8>, severity: &str, error: &Error) {
    let mut field = |kind: u8, text: &str| {
        out.push(kind);
        string(out, text);
    };
    let parts = error.fields();
    field(b'S', severity);
    field(b'V', severity);
    field(b'C', parts.sqlstate.code());
    field(b'M', &parts.message);
    let position = parts.position.map(|position| position.to_string());
    let internal_position = parts.internal_position.map(|position| position.to_string());
    for (kind, text) in [
        (b'D', &parts.detail),
        (b'H', &parts.hint),
        (b'P', &position),
        (b'p', &internal_position),
        (b'q', &parts.internal_query),
        (b'W', &parts.context),
        (b's', &parts.schema),
        (b't', &parts.table),
        (b'c', &parts.column),
        (b'd', &parts.data_type),
        (b'n', &parts.constraint),
    ] {
        if let Some(text) = text {
            field(kind, text);
        }
    }
    if let Some(routine) = parts.routine {
        field(b'R', routine);
    }
    out.push(0);
}
