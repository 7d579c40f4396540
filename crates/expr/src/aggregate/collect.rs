//! Aggregates that put all values together: string_agg, array_agg and the JSON ones.

use std::sync::Arc;

use storage::Column;
use types::{
    Array, Datum, Error, Jsonb, Physical, Result, SqlState, SqlType,
    array::Dimension,
    json::{Member, quote_json_string},
};

use super::{Accumulator, is_array_type, results};
use crate::{
    EvalContext, Vector,
    functions::json_build::{append_json, key_text, to_jsonb},
};

/// Asks for room within a batch, whose values may be large: the operator asks only before and after.
struct Room<'a> {
    before: usize,
    asked: usize,
    context: &'a EvalContext,
}

impl Room<'_> {
    fn new(held: usize, context: &EvalContext) -> Room<'_> {
        Room { before: held, asked: held, context }
    }

    fn check(&mut self, held: usize) -> Result<()> {
        const STEP: usize = 1 << 20;
        if held < self.asked + STEP {
            return Ok(());
        }
        self.asked = held;
        self.context.session.check_memory(held - self.before + STEP)
    }
}

/// Asks for room before a large vector leaps to twice its size: it is there twice while it moves.
pub(super) fn check_leap(capacity: usize, length: usize, element: usize, context: &EvalContext) -> Result<()> {
    const SMALL: usize = 1 << 20;
    let bytes = capacity * element;
    if length <= capacity || bytes < SMALL { Ok(()) } else { context.session.check_memory(2 * bytes) }
}

struct Strings {
    states: Vec<Option<Vec<u8>>>,
    bytes: bool,
    /// Counted three times: a state moves as it grows, and what it leaves takes its time to go.
    held: usize,
}

pub(super) fn strings(ty: SqlType) -> Box<dyn Accumulator> {
    Box::new(Strings { states: Vec::new(), bytes: ty.physical == Physical::Bytes, held: 0 })
}

fn content(datum: &Datum) -> &[u8] {
    match datum {
        Datum::Text(text) => text.as_bytes(),
        Datum::Bytes(bytes) => bytes,
        _ => &[],
    }
}

impl Accumulator for Strings {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], context: &EvalContext) -> Result<()> {
        self.states.resize(group_count, None);
        let mut room = Room::new(self.held, context);
        for (row, &group) in groups.iter().enumerate() {
            let value = arguments[0].datum(row);
            if value.is_null() {
                continue;
            }
            self.held += 3 * content(&value).len();
            match &mut self.states[group as usize] {
                // The first value comes without its delimiter.
                empty @ None => *empty = Some(content(&value).to_vec()),
                Some(state) => {
                    let delimiter = arguments[1].datum(row);
                    self.held += 3 * content(&delimiter).len();
                    let length = state.len() + content(&delimiter).len() + content(&value).len();
                    check_leap(state.capacity(), length, 1, context)?;
                    state.extend_from_slice(content(&delimiter));
                    state.extend_from_slice(content(&value));
                }
            }
            room.check(self.held)?;
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize(group_count.max(self.states.len()), None);
        let bytes = self.bytes;
        let result = |state: &Option<Vec<u8>>| {
            Ok(match state {
                None => Datum::Null,
                Some(state) if bytes => Datum::bytes(state),
                Some(state) => Datum::text(&String::from_utf8_lossy(state)),
            })
        };
        let physical = if bytes { Physical::Bytes } else { Physical::Text };
        results(physical, self.states[..group_count].iter().map(result))
    }

    fn heap_size(&self) -> usize {
        self.states.capacity() * size_of::<Option<Vec<u8>>>() + self.held
    }
}

struct Arrays {
    states: Vec<Vec<Datum>>,
    argument: SqlType,
    nested: bool,
    held: usize,
}

pub(super) fn arrays(argument: Option<SqlType>) -> Box<dyn Accumulator> {
    let argument = argument.unwrap_or(SqlType::TEXT);
    Box::new(Arrays { states: Vec::new(), argument, nested: is_array_type(argument), held: 0 })
}

/// Arrays of one shape as slices of one with a further dimension.
fn stack(parts: &[Datum]) -> Result<Array> {
    let mut stacked: Option<Array> = None;
    let all = parts.iter().map(|part| if let Datum::Array(part) = part { part.elements.len() } else { 0 }).sum();
    for part in parts {
        let Datum::Array(part) = part else {
            return Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays"));
        };
        if part.dimensions.is_empty() {
            return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "cannot accumulate empty arrays"));
        }
        match &mut stacked {
            None => {
                let mut dimensions = vec![Dimension { length: 1, lower_bound: 1 }];
                dimensions.extend_from_slice(&part.dimensions);
                let mut elements = Vec::with_capacity(all);
                elements.extend_from_slice(&part.elements);
                stacked = Some(Array { element_type: part.element_type, dimensions, elements });
            }
            Some(all) => {
                if all.dimensions[1..] != part.dimensions[..] {
                    let message = "cannot accumulate arrays of different dimensionality";
                    return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
                }
                all.dimensions[0].length += 1;
                all.elements.extend_from_slice(&part.elements);
            }
        }
    }
    stacked.ok_or_else(|| Error::internal("no arrays to stack"))
}

impl Accumulator for Arrays {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], context: &EvalContext) -> Result<()> {
        self.states.resize(group_count, Vec::new());
        let mut room = Room::new(self.held, context);
        for (row, &group) in groups.iter().enumerate() {
            let value = arguments[0].datum(row);
            // A place three times: a state moves as it grows, and what it leaves takes its time to go.
            self.held += 3 * size_of::<Datum>() + value.heap_size();
            let state = &mut self.states[group as usize];
            check_leap(state.capacity(), state.len() + 1, size_of::<Datum>(), context)?;
            state.push(value);
            room.check(self.held)?;
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize(group_count.max(self.states.len()), Vec::new());
        let result = |state: &Vec<Datum>| {
            Ok(if state.is_empty() {
                Datum::Null
            } else if self.nested {
                Datum::Array(Arc::new(stack(state)?))
            } else {
                Datum::Array(Arc::new(Array::one_dimensional(self.argument.with_typmod(-1), state.clone())))
            })
        };
        results(Physical::Any, self.states[..group_count].iter().map(result))
    }

    fn heap_size(&self) -> usize {
        self.states.capacity() * size_of::<Vec<Datum>>() + self.held
    }
}

/// json_agg, jsonb_agg and their object forms; the names say which.
struct Json {
    states: Vec<Option<JsonState>>,
    binary: bool,
    object: bool,
    types: Vec<SqlType>,
    held: usize,
}

enum JsonState {
    /// The text so far, without the closing bracket.
    Text(String),
    Elements(Vec<Jsonb>),
    Members(Vec<Member>),
}

pub(super) fn json(name: &'static str, types: &[SqlType]) -> Option<Box<dyn Accumulator>> {
    let (binary, object) = (name.starts_with("jsonb"), name.contains("object"));
    Some(Box::new(Json { states: Vec::new(), binary, object, types: types.to_vec(), held: 0 }))
}

impl Json {
    fn ty(&self, argument: usize) -> SqlType {
        self.types.get(argument).copied().unwrap_or(SqlType::TEXT)
    }

    fn add(&mut self, group: usize, values: &[Datum], context: &EvalContext) -> Result<()> {
        if self.object && values[0].is_null() {
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "field name must not be null"));
        }
        let types: Vec<SqlType> = (0..values.len()).map(|at| self.ty(at)).collect();
        let (binary, object) = (self.binary, self.object);
        let state = self.states[group].get_or_insert_with(|| match (binary, object) {
            (true, true) => JsonState::Members(Vec::new()),
            (true, false) => JsonState::Elements(Vec::new()),
            (false, true) => JsonState::Text("{ ".to_owned()),
            (false, false) => JsonState::Text("[".to_owned()),
        });
        let text_before = if let JsonState::Text(text) = state { text.len() } else { 0 };
        match state {
            JsonState::Elements(elements) => check_leap(elements.capacity(), elements.len() + 1, size_of::<Jsonb>(), context)?,
            JsonState::Members(members) => check_leap(members.capacity(), members.len() + 1, size_of::<Member>(), context)?,
            JsonState::Text(text) => check_leap(text.capacity(), text.len() + 64 * 1024, 1, context)?,
        }
        match state {
            JsonState::Elements(elements) => {
                let element = to_jsonb(&values[0], types[0], context)?;
                self.held += 48 + element.heap_size();
                elements.push(element);
            }
            JsonState::Members(members) => {
                let key = key_text(&values[0], types[0], context)?;
                let value = to_jsonb(&values[1], types[1], context)?;
                self.held += 96 + key.len() + value.heap_size();
                members.push((Arc::from(key), value));
            }
            JsonState::Text(text) if object => {
                if text.len() > 2 {
                    text.push_str(", ");
                }
                quote_json_string(&key_text(&values[0], types[0], context)?, text);
                text.push_str(" : ");
                append_json(&values[1], types[1], context, false, text);
            }
            JsonState::Text(text) => {
                if text.len() > 1 {
                    // Row values and arrays go on lines of their own.
                    let lines = matches!(values[0], Datum::Record(_) | Datum::Array(_));
                    text.push_str(if lines { ", \n " } else { ", " });
                }
                append_json(&values[0], types[0], context, false, text);
            }
        }
        if let Some(JsonState::Text(text)) = &self.states[group] {
            self.held += 3 * (text.len() - text_before);
        }
        Ok(())
    }
}

impl Accumulator for Json {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], context: &EvalContext) -> Result<()> {
        self.states.resize_with(group_count, || None);
        let mut room = Room::new(self.held, context);
        for (row, &group) in groups.iter().enumerate() {
            let values: Vec<Datum> = arguments.iter().map(|vector| vector.datum(row)).collect();
            self.add(group as usize, &values, context)?;
            room.check(self.held)?;
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize_with(group_count.max(self.states.len()), || None);
        let close = if self.object { " }" } else { "]" };
        let result = |state: &Option<JsonState>| {
            Ok(match state {
                None => Datum::Null,
                Some(JsonState::Text(text)) => Datum::text(&format!("{text}{close}")),
                Some(JsonState::Elements(elements)) => Datum::Jsonb(Arc::new(Jsonb::array(elements.clone()))),
                Some(JsonState::Members(members)) => Datum::Jsonb(Arc::new(Jsonb::object(members.clone()))),
            })
        };
        let physical = if self.binary { Physical::Any } else { Physical::Text };
        results(physical, self.states[..group_count].iter().map(result))
    }

    fn heap_size(&self) -> usize {
        self.states.capacity() * size_of::<Option<JsonState>>() + self.held
    }
}
