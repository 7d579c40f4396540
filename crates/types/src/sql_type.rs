//! A column's or expression's type: which SQL type, its modifier, and how its values are held.

use crate::Oid;

/// How values of a type are held in a [`crate::Datum`] and in a column vector. Several SQL types share one
/// (text, varchar and json are all `Text`); a domain has its base type's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Physical {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Oid,
    Numeric,
    Text,
    Bytes,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Interval,
    Uuid,
    /// Held as self-describing datums: jsonb, arrays, enums, records and whatever has no vector form of its own.
    Any,
}

/// A SQL type with its modifier (`varchar(10)`, `numeric(8,2)`); -1 where there is none, encoded as PostgreSQL encodes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SqlType {
    pub oid: Oid,
    pub typmod: i32,
    pub physical: Physical,
}

macro_rules! sql_types {
    ($($name:ident: $physical:ident),* $(,)?) => {
        impl SqlType {
            $(pub const $name: SqlType = SqlType { oid: Oid::$name, typmod: -1, physical: Physical::$physical };)*

            /// The built-in type of this identifier when its vectors are not plain [`Physical::Any`].
            fn built_in(oid: Oid) -> Option<SqlType> {
                match oid { $(Oid::$name => Some(SqlType::$name),)* _ => None }
            }
        }
    };
}

sql_types! {
    BOOL: Bool, BYTEA: Bytes, CHAR: Text, NAME: Text, INT8: Int8, INT2: Int2, INT4: Int4, REGPROC: Oid, TEXT: Text, OID: Oid,
    XID: Oid, CID: Oid, JSON: Text, XML: Text, FLOAT4: Float4, FLOAT8: Float8, UNKNOWN: Text, BPCHAR: Text, VARCHAR: Text, DATE: Date,
    TIME: Time, TIMESTAMP: Timestamp, TIMESTAMPTZ: TimestampTz, INTERVAL: Interval, TIMETZ: TimeTz, NUMERIC: Numeric,
    REFCURSOR: Text, REGPROCEDURE: Oid, REGOPER: Oid, REGOPERATOR: Oid, REGCLASS: Oid, REGTYPE: Oid, UUID: Uuid, JSONB: Any,
    REGCONFIG: Oid, REGDICTIONARY: Oid, REGNAMESPACE: Oid, REGROLE: Oid, REGCOLLATION: Oid, CSTRING: Text, PG_NODE_TREE: Text,
    RECORD: Any, VOID: Any, ANYELEMENT: Any, ANYARRAY: Any, ACLITEM: Text, BIT: Any, VARBIT: Any, TEXT_ARRAY: Any,
    INT4_ARRAY: Any, OID_ARRAY: Any, NAME_ARRAY: Any, INT2VECTOR: Any, OIDVECTOR: Any, INT2_ARRAY: Any,
    // The catalog's other scalar types, held as their text until they get a form of their own.
    TID: Text, XID8: Int8, PG_LSN: Int8, MONEY: Int8,
}

impl SqlType {
    /// The type of this identifier without a modifier. Types that are not built in are held as [`Physical::Any`]; use the
    /// catalog for domains, whose values are held as their base type's.
    pub fn of(oid: Oid) -> SqlType {
        SqlType::built_in(oid).unwrap_or(SqlType { oid, typmod: -1, physical: Physical::Any })
    }

    /// The same type with another modifier.
    pub const fn with_typmod(self, typmod: i32) -> SqlType {
        SqlType { typmod, ..self }
    }

    /// Whether values are character strings that compare and concatenate as text.
    pub fn is_string(self) -> bool {
        matches!(self.oid, Oid::TEXT | Oid::VARCHAR | Oid::BPCHAR | Oid::NAME | Oid::UNKNOWN | Oid::CHAR)
    }
}
