//! The library of functions, by `pg_proc.prosrc`.
//!
//! Signatures, strictness and volatility are facts of `catalog::builtin`; here is only what computes. An implementation is a closure over
//! typed values, lifted to vectors by [`lift`] (any function) or [`kernel`] (tight loops for plain arithmetic and comparison):
//!
//! ```text
//! strict!("textlen", |text: &str| text.chars().count() as i32)
//! strict!("int4div", |a: i32, b: i32| divide(a, b))                      // a Result: may fail
//! strict!("starts", cx, |a: &str, b: &str| ...)                          // `cx`: types, settings, session
//! rows("concat", |cx, row| ...)                                          // any number and type of arguments
//! ```
//!
//! A strict function (by the facts) is called only for rows without a NULL argument; one that is not takes `Option<...>` or `Datum`.
//! Functions of one subject are in one file, each with a `functions()` that lists them.

use std::{collections::HashMap, sync::LazyLock};

use catalog::builtin::BuiltinFunction;
use types::{Error, Oid, Result, SqlType};

use crate::{EvalContext, Vector};

pub mod kernel;
pub mod lift;

#[cfg(test)]
mod answers;

pub mod array;
pub mod bit_string;
pub mod boolean;
pub mod bytea;
pub mod cast;
pub mod compare;
pub mod datetime;
pub mod encoding;
pub mod float;
pub mod hash;
pub mod integer;
pub mod json;
pub mod json_build;
pub mod json_record;
pub mod like;
pub mod math;
pub mod number_text;
pub mod numeric;
pub mod quoting;
pub mod regex;
pub mod regexp;
pub(crate) mod room;
pub mod scalar;
pub mod system;
pub mod text;
pub mod text_comparison;

pub use lift::{Arguments, rows, vectors};

/// What computes a function over vectors.
pub struct Function {
    /// pg_proc.prosrc
    pub source: &'static str,
    /// Whether it can raise an error for some values; one that cannot may be evaluated for rows that do not need it.
    pub fallible: bool,
    body: Body,
}

type Body = Box<dyn Fn(&Arguments<'_>) -> Result<Vector> + Send + Sync>;

/// What of a call is known when it is compiled.
#[derive(Clone, Debug)]
pub struct CallSite {
    pub function: &'static BuiltinFunction,
    pub ty: SqlType,
    pub argument_types: Vec<SqlType>,
    pub collation: Oid,
}

impl Function {
    /// Calls it over vectors of `len` rows.
    pub fn call(&self, vectors: &[Vector], len: usize, site: &CallSite, context: &EvalContext) -> Result<Vector> {
        (self.body)(&Arguments { vectors, len, site, context })
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Function({})", self.source)
    }
}

/// The implementation of a `pg_proc.prosrc`, or None when this library has none.
pub fn lookup(source: &str) -> Option<&'static Function> {
    static REGISTRY: LazyLock<HashMap<&'static str, Function>> = LazyLock::new(|| {
        let mut registry = HashMap::with_capacity(2048);
        for function in subjects().into_iter().flatten() {
            let source = function.source;
            let earlier = registry.insert(source, function);
            debug_assert!(earlier.is_none(), "{source} is registered twice");
        }
        registry
    });
    REGISTRY.get(source)
}

fn subjects() -> Vec<Vec<Function>> {
    vec![
        array::functions(),
        bit_string::functions(),
        boolean::functions(),
        bytea::functions(),
        cast::functions(),
        datetime::functions(),
        number_text::functions(),
        encoding::functions(),
        float::functions(),
        hash::functions(),
        integer::functions(),
        json::functions(),
        json_build::functions(),
        like::functions(),
        math::functions(),
        numeric::functions(),
        quoting::functions(),
        regexp::functions(),
        scalar::functions(),
        system::functions(),
        text::functions(),
        text_comparison::functions(),
    ]
}

/// 0A000 naming a function that nothing implements.
pub(crate) fn not_implemented(function: &BuiltinFunction) -> Error {
    Error::unsupported(format_args!("function {}", function.name))
}

#[cfg(test)]
mod tests;
