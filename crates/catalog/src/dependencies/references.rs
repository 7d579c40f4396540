//! The users' objects that a piece of SQL text mentions.

use std::collections::{BTreeSet, HashSet};

use types::Oid;

use crate::{Catalog, type_names::quoting::split_qualified_name};

/// What SQL text mentions.
#[derive(Debug, Default)]
pub struct References {
    pub relations: BTreeSet<Oid>,
    pub types: BTreeSet<Oid>,
    /// Every identifier, for telling which columns can be meant.
    pub words: HashSet<String>,
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Literal(String),
    Dot,
    Cast,
    Other,
}

/// Finds `schema.name` pairs that are relations or types of the catalog, and `'name'::regclass`.
pub fn references(catalog: &Catalog, sql: &str) -> References {
    let tokens = tokens(sql);
    let mut found = References::default();
    for (at, token) in tokens.iter().enumerate() {
        match (token, tokens.get(at + 1), tokens.get(at + 2)) {
            (Token::Word(schema), Some(Token::Dot), Some(Token::Word(name))) => {
                if let Some(schema) = catalog.schema_named(schema) {
                    found.relations.extend(catalog.relation_named(schema.oid, name).map(|relation| relation.oid));
                    found.types.extend(catalog.user_type_named(schema.oid, name).map(|ty| ty.oid));
                }
            }
            (Token::Literal(name), Some(Token::Cast), Some(Token::Word(ty))) if ty == "regclass" => {
                found.relations.extend(relation_of_literal(catalog, name));
            }
            (Token::Word(function), Some(Token::Other), Some(Token::Literal(name))) if takes_sequence(function) => {
                found.relations.extend(relation_of_literal(catalog, name));
            }
            _ => {}
        }
        if let Token::Word(word) = token {
            found.words.insert(word.clone());
        }
    }
    found
}

/// Functions whose first argument, a literal, is taken for a sequence's name without a cast.
fn takes_sequence(function: &str) -> bool {
    matches!(function, "nextval" | "currval" | "setval")
}

/// The relation that a literal names with its schema.
fn relation_of_literal(catalog: &Catalog, literal: &str) -> Option<Oid> {
    let parts = split_qualified_name(literal).ok()?;
    let [schema, name] = parts.as_slice() else { return None };
    catalog.relation_named(catalog.schema_named(schema)?.oid, name).map(|relation| relation.oid)
}

/// Identifiers, literals and the symbols between names; everything else is [`Token::Other`].
fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut characters = sql.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' | '\'' => {
                let mut text = String::new();
                while let Some(inside) = characters.next() {
                    if inside != c {
                        text.push(inside);
                    } else if characters.next_if_eq(&c).is_some() {
                        text.push(c);
                    } else {
                        break;
                    }
                }
                tokens.push(if c == '"' { Token::Word(text) } else { Token::Literal(text) });
            }
            c if c.is_alphabetic() || c == '_' => {
                let mut word = c.to_ascii_lowercase().to_string();
                while let Some(more) = characters.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '$')) {
                    word.push(more.to_ascii_lowercase());
                }
                tokens.push(Token::Word(word));
            }
            '.' => tokens.push(Token::Dot),
            ':' if characters.next_if_eq(&':').is_some() => {
                tokens.push(Token::Cast);
                // `::pg_catalog.regclass` means the same.
                skip_pg_catalog(&mut characters);
            }
            c if c.is_whitespace() => {}
            _ => tokens.push(Token::Other),
        }
    }
    tokens
}

fn skip_pg_catalog(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let mut ahead = characters.clone();
    if "pg_catalog.".chars().all(|expected| ahead.next() == Some(expected)) {
        *characters = ahead;
    }
}
