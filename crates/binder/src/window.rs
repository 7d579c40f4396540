//! Window functions: `f(...) OVER (...)`, the WINDOW clause and frames.

use catalog::builtin::BuiltinFunction;
use expr::{AggregateCall, ColumnId, Expr, SortKey};
use pg_query::protobuf::{FuncCall, Node, WindowDef, node::Node as Ast};
use plan::{
    analysed::AnalysedWindow,
    logical::{Frame, FrameBound, FrameExclusion, FrameMode, WindowCall},
};
use types::{Error, Oid, Result, SqlState, SqlType};

use crate::{
    ExpressionKind, ast,
    coercion::Context,
    expression_kind::Construct,
    function_call::Arguments,
    function_resolution::Candidate,
    operator,
    state::{Binder, Typed},
};

/// FRAMEOPTION_* bits of the grammar.
mod frame_option {
    pub(super) const NON_DEFAULT: i32 = 0x00001;
    pub(super) const RANGE: i32 = 0x00002;
    pub(super) const ROWS: i32 = 0x00004;
    pub(super) const BETWEEN: i32 = 0x00010;
    pub(super) const START_UNBOUNDED_PRECEDING: i32 = 0x00020;
    pub(super) const END_UNBOUNDED_FOLLOWING: i32 = 0x00100;
    pub(super) const START_CURRENT_ROW: i32 = 0x00200;
    pub(super) const END_CURRENT_ROW: i32 = 0x00400;
    pub(super) const START_PRECEDING: i32 = 0x00800;
    pub(super) const END_PRECEDING: i32 = 0x01000;
    pub(super) const EXCLUDE_CURRENT_ROW: i32 = 0x08000;
    pub(super) const EXCLUDE_GROUP: i32 = 0x10000;
    pub(super) const EXCLUDE_TIES: i32 = 0x20000;
    pub(super) const DEFAULTS: i32 = RANGE | START_UNBOUNDED_PRECEDING | END_CURRENT_ROW;
}

/// A window of a level: one of the WINDOW clause, or the specification of one call.
#[derive(Clone, Debug)]
pub(crate) struct WindowDefinition {
    node: WindowDef,
    /// Filled in once the level's other clauses are bound.
    bound: Option<BoundWindow>,
}

#[derive(Clone, Debug)]
struct BoundWindow {
    partition_by: Vec<Expr>,
    order_by: Vec<SortKey>,
    frame: Frame,
}

impl WindowDefinition {
    /// What was written, without what it takes over from the window that it is based on.
    pub(crate) fn analysed(&self) -> Option<AnalysedWindow> {
        let bound = self.bound.as_ref()?;
        let based = !self.node.refname.is_empty();
        let word = |text: &str| (!text.is_empty()).then(|| text.into());
        let copies_order = based && self.node.order_clause.is_empty();
        let has = |bit: i32| self.node.frame_options & bit != 0;
        Some(AnalysedWindow {
            name: word(&self.node.name),
            based_on: word(&self.node.refname),
            partition_by: if based { Vec::new() } else { bound.partition_by.clone() },
            order_by: if copies_order { Vec::new() } else { bound.order_by.clone() },
            frame: has(frame_option::NON_DEFAULT).then(|| bound.frame.clone()),
            between: has(frame_option::BETWEEN),
        })
    }
}

/// A window function call of a level, the column it becomes, and which of the level's windows it runs over.
#[derive(Clone, Debug)]
pub(crate) struct PendingWindowCall {
    pub(crate) column: ColumnId,
    pub(crate) call: AggregateCall,
    pub(crate) window: usize,
    pub(crate) location: i32,
}

impl Binder<'_> {
    pub(crate) fn bind_window_call(
        &mut self,
        call: &FuncCall,
        over: &WindowDef,
        candidate: Candidate,
        arguments: Arguments,
        start: i32,
    ) -> Result<Typed> {
        let position = ast::position(call.location);
        let unsupported = |message: &str| Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(position));
        if call.agg_distinct {
            return unsupported("DISTINCT is not implemented for window functions");
        }
        if !call.agg_order.is_empty() {
            return unsupported("aggregate ORDER BY is not implemented for window functions");
        }
        if candidate.function.kind == 'w' && ast::present(&call.agg_filter).is_some() {
            return unsupported("FILTER is not implemented for non-aggregate window functions");
        }
        let bound = self.aggregate_call(call, candidate, arguments)?;
        let nested = |id: &ColumnId| self.level().window_calls.iter().any(|pending| pending.column == *id);
        if bound.arguments.iter().chain(&bound.filter).any(|argument| argument.columns().iter().any(nested)) {
            return Err(Error::new(SqlState::WINDOWING_ERROR, "window function calls cannot be nested").at(position));
        }
        if let Some(refusal) = self.level().kind.refusal(Construct::Window) {
            return Err(Error::new(SqlState::WINDOWING_ERROR, refusal).at(position));
        }
        let window = self.find_window(over)?;
        let given = self.new_given(bound.ty);
        self.level_mut().window_calls.push(PendingWindowCall { column: given.id, call: bound, window, location: call.location });
        Ok(Typed::new(Expr::Column { id: given.id, ty: given.ty }, start))
    }

    /// The window that OVER names, or a new one for its specification.
    fn find_window(&mut self, over: &WindowDef) -> Result<usize> {
        if !over.name.is_empty() {
            let found = self.level().windows.iter().position(|window| window.node.name == over.name);
            return found.ok_or_else(|| undefined_window(&over.name, over.location));
        }
        self.level_mut().windows.push(WindowDefinition { node: over.clone(), bound: None });
        Ok(self.level().windows.len() - 1)
    }

    /// Makes the WINDOW clause's names known before any expression refers to them.
    pub(crate) fn declare_windows(&mut self, clause: &[Node]) -> Result<()> {
        for node in clause {
            let Ast::WindowDef(definition) = ast::content(node)? else { return Err(Error::internal("WINDOW holds definitions")) };
            if self.level().windows.iter().any(|window| window.node.name == definition.name) {
                let message = format!("window \"{}\" is already defined", definition.name);
                return Err(Error::new(SqlState::WINDOWING_ERROR, message).at(ast::position(definition.location)));
            }
            self.level_mut().windows.push(WindowDefinition { node: (**definition).clone(), bound: None });
        }
        Ok(())
    }

    /// Binds all windows of the level (transformWindowDefinitions), after its other clauses.
    pub(crate) fn bind_windows(&mut self) -> Result<Vec<(ColumnId, WindowCall)>> {
        for at in 0..self.level().windows.len() {
            let node = self.level().windows[at].node.clone();
            let bound = self.bind_window(&node, at)?;
            self.level_mut().windows[at].bound = Some(bound);
        }
        self.note_window_calls();
        let calls = std::mem::take(&mut self.level_mut().window_calls);
        let windows = &self.level().windows;
        let call = |pending: &PendingWindowCall| {
            let window = windows[pending.window].bound.clone()?;
            let BoundWindow { partition_by, order_by, frame } = window;
            Some((pending.column, WindowCall { call: pending.call.clone(), partition_by, order_by, frame }))
        };
        let bound: Option<Vec<_>> = calls.iter().map(call).collect();
        bound.ok_or_else(|| Error::internal("a window was not bound"))
    }

    fn bind_window(&mut self, node: &WindowDef, at: usize) -> Result<BoundWindow> {
        let position = ast::position(node.location);
        let windowing = |message: String| Err(Error::new(SqlState::WINDOWING_ERROR, message).at(position));
        let base = match node.refname.as_str() {
            "" => None,
            name => {
                let found = self.level().windows[..at].iter().find(|window| window.node.name == name);
                Some(found.ok_or_else(|| undefined_window(name, node.location))?.clone())
            }
        };
        let mut partition_by = Vec::new();
        for item in &node.partition_clause {
            let typed = self.bind_kind(item, ExpressionKind::WindowPartition)?;
            let typed = self.unknown_to_text(typed)?;
            self.require_equality(typed.ty(), typed.location)?;
            partition_by.push(typed.expr);
        }
        let mut order_by = Vec::new();
        let before = std::mem::replace(&mut self.level_mut().kind, ExpressionKind::WindowOrder);
        for item in &node.order_clause {
            order_by.push(self.bind_sort_item(item)?.1);
        }
        self.level_mut().kind = before;
        if let Some(base) = base {
            let inherited = base.bound.ok_or_else(|| Error::internal("windows are bound in order"))?;
            if !partition_by.is_empty() {
                return windowing(format!("cannot override PARTITION BY clause of window \"{}\"", node.refname));
            }
            partition_by = inherited.partition_by;
            if !order_by.is_empty() && !inherited.order_by.is_empty() {
                return windowing(format!("cannot override ORDER BY clause of window \"{}\"", node.refname));
            }
            if order_by.is_empty() {
                order_by = inherited.order_by;
            }
            if base.node.frame_options != frame_option::DEFAULTS {
                let message = format!("cannot copy window \"{}\" because it has a frame clause", node.refname);
                let error = Error::new(SqlState::WINDOWING_ERROR, message).at(position);
                let only_copied = node.partition_clause.is_empty()
                    && node.order_clause.is_empty()
                    && node.frame_options == frame_option::DEFAULTS
                    && node.name.is_empty();
                return Err(if only_copied { error.hint("Omit the parentheses in this OVER clause.") } else { error });
            }
        }
        let frame = self.bind_frame(node, &order_by)?;
        Ok(BoundWindow { partition_by, order_by, frame })
    }

    fn bind_frame(&mut self, node: &WindowDef, order_by: &[SortKey]) -> Result<Frame> {
        let options = node.frame_options;
        let has = |bit: i32| options & bit != 0;
        let mode = if options & frame_option::NON_DEFAULT == 0 || has(frame_option::RANGE) {
            FrameMode::Range
        } else if has(frame_option::ROWS) {
            FrameMode::Rows
        } else {
            FrameMode::Groups
        };
        let position = ast::position(node.location);
        let offsets = ast::present(&node.start_offset).is_some() || ast::present(&node.end_offset).is_some();
        if mode == FrameMode::Groups && order_by.is_empty() {
            return Err(Error::new(SqlState::WINDOWING_ERROR, "GROUPS mode requires an ORDER BY clause").at(position));
        }
        if mode == FrameMode::Range && offsets && order_by.len() != 1 {
            let message = "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column";
            return Err(Error::new(SqlState::WINDOWING_ERROR, message).at(position));
        }
        let start = match ast::present(&node.start_offset) {
            Some(offset) => self.bind_offset(offset, mode, order_by, has(frame_option::START_PRECEDING))?,
            None if has(frame_option::START_CURRENT_ROW) => FrameBound::CurrentRow,
            None => FrameBound::UnboundedPreceding,
        };
        let end = match ast::present(&node.end_offset) {
            Some(offset) => self.bind_offset(offset, mode, order_by, has(frame_option::END_PRECEDING))?,
            None if has(frame_option::END_UNBOUNDED_FOLLOWING) => FrameBound::UnboundedFollowing,
            None => FrameBound::CurrentRow,
        };
        let exclusion = if has(frame_option::EXCLUDE_CURRENT_ROW) {
            FrameExclusion::CurrentRow
        } else if has(frame_option::EXCLUDE_GROUP) {
            FrameExclusion::Group
        } else if has(frame_option::EXCLUDE_TIES) {
            FrameExclusion::Ties
        } else {
            FrameExclusion::NoOthers
        };
        Ok(Frame { mode, start, end, exclusion })
    }

    /// A frame's offset (transformFrameOffset).
    fn bind_offset(&mut self, node: &Node, mode: FrameMode, order_by: &[SortKey], preceding: bool) -> Result<FrameBound> {
        let (kind, construct) = match mode {
            FrameMode::Rows => (ExpressionKind::WindowFrameRows, "ROWS"),
            FrameMode::Groups => (ExpressionKind::WindowFrameGroups, "GROUPS"),
            FrameMode::Range => (ExpressionKind::WindowFrameRange, "RANGE"),
        };
        let typed = self.bind_kind(node, kind)?;
        let location = typed.location;
        let (offset, arithmetic) = match (mode, order_by.first()) {
            (FrameMode::Range, Some(key)) => self.range_offset(typed, key, preceding)?,
            _ => (self.coerce_to_specific(typed, SqlType::INT8, construct)?, None),
        };
        self.refuse_own_columns(&offset, construct, location)?;
        Ok(if preceding { FrameBound::Preceding(offset, arithmetic) } else { FrameBound::Following(offset, arithmetic) })
    }

    /// RANGE: the offset in a type that the ordering column can be moved by, and the function that moves it.
    fn range_offset(&mut self, typed: Typed, key: &SortKey, preceding: bool) -> Result<(Expr, Option<&'static BuiltinFunction>)> {
        let names = self.names.clone();
        let ordering = crate::type_facts::base(&names, key.expression.ty().oid);
        let offset = crate::type_facts::base(&names, typed.ty().oid);
        let position = typed.position();
        let wanted = match (ordering, offset) {
            (Oid::INT2 | Oid::INT4 | Oid::INT8, Oid::INT2 | Oid::INT4 | Oid::INT8) => typed.ty(),
            (Oid::INT2 | Oid::INT4 | Oid::INT8, Oid::UNKNOWN) => SqlType::INT8,
            (Oid::FLOAT4 | Oid::FLOAT8, _) => SqlType::FLOAT8,
            (Oid::NUMERIC, _) => SqlType::NUMERIC,
            (Oid::DATE | Oid::TIME | Oid::TIMETZ | Oid::TIMESTAMP | Oid::TIMESTAMPTZ | Oid::INTERVAL, _) => SqlType::INTERVAL,
            _ => {
                let message = format!(
                    "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {}",
                    names.format_type_oid(ordering)
                );
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(position));
            }
        };
        let unsupported = || {
            let message = format!(
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {} and offset type {}",
                names.format_type_oid(ordering),
                names.format_type_oid(offset)
            );
            Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                .hint("Cast the offset value to an appropriate type.")
                .at(position)
        };
        let location = typed.location;
        let converted = self.coerce_to(typed, wanted, Context::Implicit)?.ok_or_else(unsupported)?;
        let operator = if preceding != key.descending { "-" } else { "+" };
        let function =
            operator::resolve(&names, &[operator], &[ordering, wanted.oid], location).map_err(|_| unsupported())?.function;
        Ok((converted, Some(function)))
    }

    /// LIMIT, OFFSET and frame offsets may not mention columns of their own level (checkExprIsVarFree).
    pub(crate) fn refuse_own_columns(&self, expr: &Expr, construct: &str, location: i32) -> Result<()> {
        let depth = self.depth();
        match expr.columns().into_iter().find(|id| self.column_depth(*id) == depth) {
            None => Ok(()),
            Some(id) => {
                let known = self.level().references.iter().rev().find(|(known, _)| *known == id).map(|(_, at)| *at);
                let message = format!("argument of {construct} must not contain variables");
                Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(ast::position(known.unwrap_or(location))))
            }
        }
    }
}

fn undefined_window(name: &str, location: i32) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("window \"{name}\" does not exist")).at(ast::position(location))
}
