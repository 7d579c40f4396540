//! `schema.name` in SQL text, replaced where it is a name and not within a literal.

use catalog::type_names::quote_qualified;

use super::Place;

/// A piece of text that matters here, with where it is.
#[derive(Debug, PartialEq)]
enum Token {
    /// An identifier as it is meant.
    Word(String),
    Dot,
    Other,
}

/// The text with every `schema.name` of the one meaning the other; None when there is none.
pub(super) fn rename(text: &str, old: &Place, new: &Place) -> Option<String> {
    let tokens = tokens(text);
    let mut renamed = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, window) in tokens.windows(3).enumerate() {
        let [(Token::Word(schema), start, _), (Token::Dot, ..), (Token::Word(name), _, end)] = window else { continue };
        let is_part = at > 0 && tokens[at - 1].0 == Token::Dot;
        if *schema == old.0 && *name == old.1 && !is_part {
            renamed.push_str(&text[copied..*start]);
            renamed.push_str(&quote_qualified(Some(&new.0), &new.1));
            copied = *end;
        }
    }
    (copied > 0).then(|| renamed + &text[copied..])
}

/// Tokens with their first byte and the byte behind them; blanks and what literals hold are left out.
fn tokens(text: &str) -> Vec<(Token, usize, usize)> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, first)) = rest.next() {
        let token = match first {
            '"' => {
                let mut word = String::new();
                while let Some((_, c)) = rest.next() {
                    // A doubled quote is one within the name.
                    if c == '"' && rest.next_if(|(_, next)| *next == '"').is_none() {
                        break;
                    }
                    word.push(c);
                }
                Token::Word(word)
            }
            '\'' => {
                // E'...' knows backslashes.
                let escapes = text[..start].ends_with(['E', 'e']);
                while let Some((_, c)) = rest.next() {
                    if c == '\'' && rest.next_if(|(_, next)| *next == '\'').is_none() {
                        break;
                    }
                    if c == '\\' && escapes {
                        rest.next();
                    }
                }
                Token::Other
            }
            '.' => Token::Dot,
            c if c.is_alphabetic() || c == '_' => {
                let mut word: String = c.to_lowercase().collect();
                while let Some((_, c)) = rest.next_if(|(_, c)| c.is_alphanumeric() || matches!(c, '_' | '$')) {
                    word.extend(c.to_lowercase());
                }
                Token::Word(word)
            }
            c if c.is_whitespace() => continue,
            _ => Token::Other,
        };
        let end = rest.peek().map_or(text.len(), |(at, _)| *at);
        tokens.push((token, start, end));
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_literals_are_not() {
        let (old, new) = (("s".to_owned(), "t".to_owned()), ("New".to_owned(), "u".to_owned()));
        let renamed = |text: &str| rename(text, &old, &new);
        assert_eq!(renamed("'red'::s.t").as_deref(), Some("'red'::\"New\".u"));
        assert_eq!(renamed("a::s.t[] = b::\"s\".\"t\"").as_deref(), Some("a::\"New\".u[] = b::\"New\".u"));
        assert_eq!(renamed("'s.t' || E'\\'s.t' || 'it''s.t' || s.tt || x.s.t || \"S\".t"), None);
    }
}
