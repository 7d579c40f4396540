//! Literals, with the types that they need to be read back as what they are (get_const_expr).

use types::{Datum, Oid, SqlType, text_format::datum_to_text};

use super::Printer;

/// When a literal shows its type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Never,
    WhenNeeded,
    Always,
}

impl Printer<'_> {
    pub(super) fn constant(&mut self, value: &Datum, ty: SqlType, label: Label) {
        if value.is_null() {
            self.push("NULL");
            if label != Label::Never {
                self.type_label(ty);
            }
            return;
        }
        let mut text = String::new();
        datum_to_text(value, ty, self.format, self.names, &mut text);
        let is_number = text.starts_with(|first: char| first.is_ascii_digit());
        let needed = match ty.oid {
            Oid::BOOL => {
                self.push(if text == "t" { "true" } else { "false" });
                false
            }
            Oid::INT4 if is_number => {
                self.push(&text);
                false
            }
            Oid::NUMERIC if is_number && text.contains(['e', 'E', '.']) => {
                self.push(&text);
                ty.typmod >= 0
            }
            Oid::INT4 | Oid::NUMERIC => {
                self.push(&format!("'{text}'"));
                true
            }
            _ => {
                // Backslashes mean themselves, as standard_conforming_strings says.
                let literal = format!("'{}'", text.replace('\'', "''"));
                self.push(&literal);
                ty.oid != Oid::UNKNOWN
            }
        };
        if label == Label::Always || needed && label == Label::WhenNeeded {
            self.type_label(ty);
        }
    }
}
