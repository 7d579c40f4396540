//! The grammar of JSON as a stream of events, without recursion; what validates `json` and builds [`Jsonb`].

use std::{borrow::Cow, sync::Arc};

use super::{
    Jsonb, MAX_DEPTH, MAX_STRING_BYTES, Member,
    lexer::{Expected, Lexer, Token},
    stack_depth_exceeded,
};
use crate::{Error, Numeric, Result, SqlState};

/// One step through a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Key(Cow<'a, str>),
    String(Cow<'a, str>),
    Number(&'a str),
    Bool(bool),
    Null,
}

#[derive(Clone, Copy, PartialEq)]
enum Container {
    Array,
    Object,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Value,
    FirstElement,
    FirstKey,
    AfterKey,
    AfterValue,
}

/// Reads the events of one document, checking the whole grammar.
pub struct Reader<'a> {
    lexer: Lexer<'a>,
    containers: Vec<Container>,
    state: State,
}

impl<'a> Reader<'a> {
    /// `decode` tells whether strings are freed of their escapes, or only checked and handed out as they stand.
    pub fn new(text: &'a str, decode: bool) -> Result<Reader<'a>> {
        let mut lexer = Lexer::new(text, decode);
        lexer.advance()?;
        Ok(Reader { lexer, containers: Vec::new(), state: State::Value })
    }

    /// The next event; None at the end of the document. Errors: 22P02, 22P05, 54001.
    pub fn next_event(&mut self) -> Result<Option<Event<'a>>> {
        match self.state {
            State::Value => self.value().map(Some),
            State::FirstElement if self.lexer.token == Token::ArrayEnd => self.close().map(Some),
            State::FirstElement => self.value().map(Some),
            State::FirstKey if self.lexer.token == Token::ObjectEnd => self.close().map(Some),
            State::FirstKey if self.lexer.token != Token::String => Err(self.lexer.unexpected(Expected::ObjectFirst)),
            State::FirstKey => self.key().map(Some),
            State::AfterKey => {
                self.expect(Token::Colon, Expected::Colon)?;
                self.value().map(Some)
            }
            State::AfterValue => self.after_value(),
        }
    }

    fn after_value(&mut self) -> Result<Option<Event<'a>>> {
        match (self.containers.last(), self.lexer.token) {
            (None, Token::End) => Ok(None),
            (None, _) => Err(self.lexer.unexpected(Expected::End)),
            (Some(Container::Array), Token::Comma) => {
                self.lexer.advance()?;
                self.value().map(Some)
            }
            (Some(Container::Object), Token::Comma) => {
                self.lexer.advance()?;
                self.key().map(Some)
            }
            (Some(Container::Array), Token::ArrayEnd) | (Some(Container::Object), Token::ObjectEnd) => self.close().map(Some),
            (Some(Container::Array), _) => Err(self.lexer.unexpected(Expected::ArrayNext)),
            (Some(Container::Object), _) => Err(self.lexer.unexpected(Expected::ObjectNext)),
        }
    }

    fn expect(&mut self, token: Token, expected: Expected) -> Result<()> {
        if self.lexer.token == token { self.lexer.advance() } else { Err(self.lexer.unexpected(expected)) }
    }

    fn key(&mut self) -> Result<Event<'a>> {
        if self.lexer.token != Token::String {
            return Err(self.lexer.unexpected(Expected::Key));
        }
        let key = self.lexer.take_string();
        self.lexer.advance()?;
        self.state = State::AfterKey;
        Ok(Event::Key(key))
    }

    fn value(&mut self) -> Result<Event<'a>> {
        let event = match self.lexer.token {
            Token::ObjectStart => return self.open(Container::Object),
            Token::ArrayStart => return self.open(Container::Array),
            Token::String => Event::String(self.lexer.take_string()),
            Token::Number => Event::Number(self.lexer.source()),
            Token::True => Event::Bool(true),
            Token::False => Event::Bool(false),
            Token::Null => Event::Null,
            _ => return Err(self.lexer.unexpected(Expected::Value)),
        };
        self.lexer.advance()?;
        self.state = State::AfterValue;
        Ok(event)
    }

    fn open(&mut self, container: Container) -> Result<Event<'a>> {
        if self.containers.len() >= MAX_DEPTH {
            return Err(stack_depth_exceeded());
        }
        self.containers.push(container);
        self.lexer.advance()?;
        let (state, event) = match container {
            Container::Array => (State::FirstElement, Event::ArrayStart),
            Container::Object => (State::FirstKey, Event::ObjectStart),
        };
        self.state = state;
        Ok(event)
    }

    fn close(&mut self) -> Result<Event<'a>> {
        let container = self.containers.pop();
        self.lexer.advance()?;
        self.state = State::AfterValue;
        Ok(if container == Some(Container::Array) { Event::ArrayEnd } else { Event::ObjectEnd })
    }
}

/// Checks that `text` is one JSON document, as input of `json` does.
pub fn validate(text: &str) -> Result<()> {
    let mut reader = Reader::new(text, false)?;
    while reader.next_event()?.is_some() {}
    Ok(())
}

/// A container that is being filled.
enum Open {
    Array(Vec<Jsonb>),
    Object(Vec<Member>, Option<Arc<str>>),
}

pub(super) fn parse_jsonb(text: &str) -> Result<Jsonb> {
    let mut reader = Reader::new(text, true)?;
    let mut open: Vec<Open> = Vec::new();
    let mut root = Jsonb::Null;
    while let Some(event) = reader.next_event()? {
        let value = match event {
            Event::ArrayStart => {
                open.push(Open::Array(Vec::new()));
                continue;
            }
            Event::ObjectStart => {
                open.push(Open::Object(Vec::new(), None));
                continue;
            }
            Event::Key(text) => {
                check_length(&text)?;
                if let Some(Open::Object(_, key)) = open.last_mut() {
                    *key = Some(Arc::from(text));
                }
                continue;
            }
            Event::ArrayEnd | Event::ObjectEnd => match open.pop() {
                Some(Open::Array(elements)) => Jsonb::array(elements),
                Some(Open::Object(members, _)) => Jsonb::object(members),
                None => unreachable!("the reader closes only what it opened"),
            },
            Event::String(text) => {
                check_length(&text)?;
                Jsonb::String(Arc::from(text))
            }
            Event::Number(text) => Jsonb::Number(Numeric::parse(text)?),
            Event::Bool(value) => Jsonb::Bool(value),
            Event::Null => Jsonb::Null,
        };
        match open.last_mut() {
            Some(Open::Array(elements)) => elements.push(value),
            Some(Open::Object(members, key)) => {
                let key = key.take().expect("the reader gives a key before each member's value");
                members.push((key, value));
            }
            None => root = value,
        }
    }
    Ok(root)
}

fn check_length(text: &str) -> Result<()> {
    if text.len() <= MAX_STRING_BYTES {
        return Ok(());
    }
    let detail = format!("Due to an implementation restriction, jsonb strings cannot exceed {MAX_STRING_BYTES} bytes.");
    Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "string too long to represent as jsonb string").detail(detail))
}
