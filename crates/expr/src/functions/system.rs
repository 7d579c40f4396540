//! Functions that ask the session: settings, sequences, names of objects and of types. What only the engine knows is not here: a call
//! of it goes to `SessionHooks::engine_function`.

use std::time::{Duration, Instant};

use types::{Array, Datum, Error, Oid, Result, SqlState, SqlType, binary_format};

use super::{
    Arguments, Function,
    lift::{rows, strict},
};

pub fn functions() -> Vec<Function> {
    let mut functions = session();
    functions.extend(settings());
    functions.extend(sequences());
    functions.extend(names());
    functions.extend(SENDERS.map(|source| rows(source, send)));
    functions
}

/// Functions that give a value's binary form.
const SENDERS: [&str; 27] = [
    "boolsend",
    "int2send",
    "int4send",
    "int8send",
    "float4send",
    "float8send",
    "numeric_send",
    "textsend",
    "varcharsend",
    "bpcharsend",
    "namesend",
    "charsend",
    "byteasend",
    "uuid_send",
    "json_send",
    "jsonb_send",
    "bit_send",
    "varbit_send",
    "oidsend",
    "date_send",
    "time_send",
    "timetz_send",
    "timestamp_send",
    "timestamptz_send",
    "interval_send",
    "array_send",
    "cash_send",
];

fn send(cx: &Arguments<'_>, row: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let ty = cx.site.argument_types.first().copied().unwrap_or(SqlType::TEXT);
    binary_format::datum_to_binary(&cx.datum(0, row), ty, &mut out);
    out
}

fn session() -> Vec<Function> {
    vec![
        strict!("current_user", cx, || cx.context.session.current_user()),
        strict!("session_user", cx, || cx.context.session.session_user()),
        strict!("current_database", cx, || cx.context.session.current_database()),
        strict!("current_schema", cx, || cx.context.session.search_path(false).into_iter().next()),
        strict!("current_schemas", cx, |implicit: bool| {
            let schemas = cx.context.session.search_path(implicit).into_iter().map(Datum::Text).collect();
            Array::one_dimensional(SqlType::NAME, schemas)
        }),
        strict!("pg_backend_pid", cx, || cx.context.session.backend_pid()),
        strict!("pgsql_version", cx, || -> Result<String> {
            let server = cx.context.session.setting("server_version", true)?.unwrap_or_else(|| "15".to_owned());
            Ok(format!(
                "PostgreSQL {server} (HeliosDB Nano {}) on {}-{}, 64-bit",
                env!("CARGO_PKG_VERSION"),
                std::env::consts::ARCH,
                std::env::consts::OS
            ))
        }),
        strict!("getdatabaseencoding", || "UTF8"),
        strict!("PG_encoding_to_char", |encoding: i32| match encoding {
            0 => "SQL_ASCII",
            6 => "UTF8",
            8 => "LATIN1",
            _ => "",
        }),
        strict!("PG_char_to_encoding", |name: &str| {
            let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
            match plain.as_str() {
                "sqlascii" => 0,
                "utf8" | "unicode" => 6,
                "latin1" | "iso88591" => 8,
                _ => -1,
            }
        }),
        strict!("pg_sleep", cx, |seconds: f64| -> Result<&'static str> {
            let mut slept = Ok(());
            cx.context.session.run_long(&mut || slept = sleep(cx, seconds));
            slept.map(|()| "")
        }),
        rows("pg_num_nulls", |cx, row| (0..cx.count()).filter(|&at| cx.is_null(at, row)).count() as i32),
        rows("pg_num_nonnulls", |cx, row| (0..cx.count()).filter(|&at| !cx.is_null(at, row)).count() as i32),
        rows("pg_typeof", |cx, _row| cx.site.argument_types.first().map(|ty| ty.oid)),
    ]
}

/// Waits in short steps, so that a cancellation is seen soon.
fn sleep(cx: &Arguments<'_>, seconds: f64) -> Result<()> {
    let end = Instant::now() + Duration::try_from_secs_f64(seconds.clamp(0.0, 1e9)).unwrap_or_default();
    loop {
        cx.context.check_cancelled()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(Duration::from_millis(5)));
    }
}

fn settings() -> Vec<Function> {
    vec![
        strict!("show_config_by_name", cx, |name: &str| cx.context.session.setting(name, false)),
        strict!("show_config_by_name_missing_ok", cx, |name: &str, missing_ok: bool| cx
            .context
            .session
            .setting(name, missing_ok)),
        strict!("set_config_by_name", cx, |name: Option<&str>, value: Option<&str>, local: Option<bool>| -> Result<String> {
            let Some(name) = name else {
                return Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "SET requires parameter name"));
            };
            cx.context.session.set_setting(name, value.unwrap_or(""), local.unwrap_or(false))
        }),
    ]
}

fn sequences() -> Vec<Function> {
    vec![
        strict!("nextval_oid", cx, |sequence: Oid| cx.context.session.next_value(sequence)),
        strict!("currval_oid", cx, |sequence: Oid| cx.context.session.current_value(sequence)),
        strict!("lastval", cx, || cx.context.session.last_value()),
        strict!("setval_oid", cx, |sequence: Oid, value: i64| -> Result<i64> {
            cx.context.session.set_value(sequence, value, true)?;
            Ok(value)
        }),
        strict!("setval3_oid", cx, |sequence: Oid, value: i64, called: bool| -> Result<i64> {
            cx.context.session.set_value(sequence, value, called)?;
            Ok(value)
        }),
    ]
}

/// The object a name stands for, or None when there is none of that name.
fn find(cx: &Arguments<'_>, reg_type: Oid, name: &str) -> Result<Option<Oid>> {
    if let Ok(number) = name.parse() {
        return Ok(Some(Oid(number)));
    }
    match cx.context.resolver.reg_object(reg_type, name) {
        Ok(oid) => Ok(Some(oid)),
        Err(error)
            if matches!(
                error.sqlstate(),
                SqlState::UNDEFINED_TABLE
                    | SqlState::UNDEFINED_OBJECT
                    | SqlState::UNDEFINED_FUNCTION
                    | SqlState::UNDEFINED_SCHEMA
                    | SqlState::AMBIGUOUS_FUNCTION
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn names() -> Vec<Function> {
    vec![
        strict!("text_regclass", cx, |name: &str| match name.parse() {
            Ok(number) => Ok(Oid(number)),
            Err(_) => cx.context.resolver.reg_object(Oid::REGCLASS, name),
        }),
        strict!("to_regclass", cx, |name: &str| find(cx, Oid::REGCLASS, name)),
        strict!("to_regtype", cx, |name: &str| find(cx, Oid::REGTYPE, name)),
        strict!("to_regproc", cx, |name: &str| find(cx, Oid::REGPROC, name)),
        strict!("to_regprocedure", cx, |name: &str| find(cx, Oid::REGPROCEDURE, name)),
        strict!("to_regoper", cx, |name: &str| find(cx, Oid::REGOPER, name)),
        strict!("to_regoperator", cx, |name: &str| find(cx, Oid::REGOPERATOR, name)),
        strict!("to_regnamespace", cx, |name: &str| find(cx, Oid::REGNAMESPACE, name)),
        strict!("to_regrole", cx, |name: &str| find(cx, Oid::REGROLE, name)),
        strict!("to_regcollation", cx, |name: &str| find(cx, Oid::REGCOLLATION, name)),
    ]
}
