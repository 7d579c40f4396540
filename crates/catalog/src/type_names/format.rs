//! How a type prints: PostgreSQL's format_type.

use types::{Oid, SqlType, text_format::TypeResolver};

use super::{Names, modifiers::modifier_out, quote_qualified};

impl Names {
    /// The type with its modifier, as SQL spells it: `character varying(10)`, `timestamp(3) with time zone`, `integer[]`.
    /// A char or bit without a modifier is not SQL's `character` (which means length one) and prints as `bpchar` or `"bit"`.
    pub fn format_type(&self, ty: SqlType) -> String {
        self.format(ty.oid, Some(ty.typmod))
    }

    /// The type without regard to modifiers, as most error messages print it.
    pub fn format_type_oid(&self, oid: Oid) -> String {
        self.format(oid, None)
    }

    fn format(&self, oid: Oid, typmod: Option<i32>) -> String {
        if oid == Oid::INVALID {
            return "-".to_string();
        }
        // int2vector and oidvector have elements but are no arrays in this sense.
        if !matches!(oid, Oid::INT2VECTOR | Oid::OIDVECTOR)
            && let Some(element) = self.array_element(oid)
        {
            return format!("{}[]", self.format(element.oid, typmod));
        }
        let modifier = modifier_out(SqlType::of(oid).with_typmod(typmod.unwrap_or(-1)));
        let without_modifier = typmod.is_some_and(|typmod| typmod < 0);
        match oid {
            Oid::BIT if !without_modifier => format!("bit{modifier}"),
            Oid::BPCHAR if !without_modifier => format!("character{modifier}"),
            Oid::BIT => "\"bit\"".to_string(),
            Oid::BPCHAR => "bpchar".to_string(),
            Oid::BOOL => "boolean".to_string(),
            Oid::FLOAT4 => "real".to_string(),
            Oid::FLOAT8 => "double precision".to_string(),
            Oid::INT2 => "smallint".to_string(),
            Oid::INT4 => "integer".to_string(),
            Oid::INT8 => "bigint".to_string(),
            Oid::NUMERIC => format!("numeric{modifier}"),
            Oid::INTERVAL => format!("interval{modifier}"),
            Oid::TIME => format!("time{modifier} without time zone"),
            Oid::TIMETZ => format!("time{modifier} with time zone"),
            Oid::TIMESTAMP => format!("timestamp{modifier} without time zone"),
            Oid::TIMESTAMPTZ => format!("timestamp{modifier} with time zone"),
            Oid::VARBIT => format!("bit varying{modifier}"),
            Oid::VARCHAR => format!("character varying{modifier}"),
            _ => match self.type_name_and_schema(oid) {
                Some((name, schema)) => format!("{}{modifier}", self.qualify_type(oid, &name, schema)),
                None => "???".to_string(),
            },
        }
    }

    fn qualify_type(&self, oid: Oid, name: &str, schema: Oid) -> String {
        if self.type_is_visible(oid) {
            quote_qualified(None, name)
        } else {
            quote_qualified(self.schema_name(schema).as_deref(), name)
        }
    }

    /// A schema's name.
    pub fn schema_name(&self, oid: Oid) -> Option<crate::Name> {
        self.catalog.schema(oid).map(|schema| schema.name.clone())
    }
}
