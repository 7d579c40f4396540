//! Small readings of the raw syntax tree.

use pg_query::protobuf::{Node, node::Node as Ast};
use types::{Error, Result};

/// The node's content; every node the parser makes has one.
pub(crate) fn content(node: &Node) -> Result<&Ast> {
    node.node.as_ref().ok_or_else(|| Error::internal("empty syntax node"))
}

/// A child that the grammar always fills in.
pub(crate) fn required<T>(child: &Option<T>) -> Result<&T> {
    child.as_ref().ok_or_else(|| Error::internal("syntax tree lacks a child"))
}

/// Whether an optional child is there and not an empty node.
pub(crate) fn present(child: &Option<Box<Node>>) -> Option<&Node> {
    child.as_deref().filter(|node| node.node.is_some())
}

/// A String node's text.
pub(crate) fn text(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        Ast::String(string) => Some(&string.sval),
        _ => None,
    }
}

/// The names of a dotted name, `*` left out.
pub(crate) fn names(nodes: &[Node]) -> Vec<&str> {
    nodes.iter().filter_map(text).collect()
}

/// Schema and last part of a possibly qualified name; a database name before them must be left to the caller.
pub(crate) fn qualified<'a>(parts: &[&'a str]) -> (Option<&'a str>, &'a str) {
    match parts {
        [] => (None, ""),
        [name] => (None, name),
        [.., schema, name] => (Some(schema), name),
    }
}

/// A byte location of the syntax tree as `Error.position`.
pub(crate) fn position(location: i32) -> Option<usize> {
    usize::try_from(location).ok().map(|at| at + 1)
}

/// The leftmost of two locations, unknown ones (-1) aside.
pub(crate) fn leftmost(left: i32, right: i32) -> i32 {
    match (left, right) {
        (left, right) if left < 0 => right,
        (left, right) if right < 0 => left,
        (left, right) => left.min(right),
    }
}

/// Where an expression begins (PostgreSQL's exprLocation on raw trees).
pub(crate) fn location(node: &Node) -> i32 {
    let Some(ast) = &node.node else { return -1 };
    let child = |child: &Option<Box<Node>>| child.as_deref().map_or(-1, location);
    match ast {
        Ast::ColumnRef(node) => node.location,
        Ast::ParamRef(node) => node.location,
        Ast::AConst(node) => node.location,
        Ast::AExpr(node) => leftmost(node.location, child(&node.lexpr)),
        Ast::BoolExpr(node) => leftmost(node.location, node.args.first().map_or(-1, location)),
        Ast::FuncCall(node) => leftmost(node.location, node.args.first().map_or(-1, location)),
        Ast::AIndirection(node) => child(&node.arg),
        Ast::AArrayExpr(node) => node.location,
        Ast::ResTarget(node) => node.location,
        Ast::TypeCast(node) => {
            let ty = node.type_name.as_ref().map_or(-1, |ty| ty.location);
            leftmost(child(&node.arg), leftmost(ty, node.location))
        }
        Ast::CollateClause(node) => leftmost(child(&node.arg), node.location),
        Ast::SortBy(node) => child(&node.node),
        Ast::SubLink(node) => leftmost(child(&node.testexpr), node.location),
        Ast::CaseExpr(node) => node.location,
        Ast::CaseWhen(node) => node.location,
        Ast::RowExpr(node) => node.location,
        Ast::CoalesceExpr(node) => node.location,
        Ast::MinMaxExpr(node) => node.location,
        Ast::SqlvalueFunction(node) => node.location,
        Ast::NullTest(node) => leftmost(node.location, child(&node.arg)),
        Ast::BooleanTest(node) => leftmost(node.location, child(&node.arg)),
        Ast::SetToDefault(node) => node.location,
        Ast::GroupingFunc(node) => node.location,
        Ast::GroupingSet(node) => node.location,
        Ast::NamedArgExpr(node) => leftmost(node.location, child(&node.arg)),
        Ast::RangeVar(node) => node.location,
        Ast::TypeName(node) => node.location,
        Ast::WindowDef(node) => node.location,
        Ast::CommonTableExpr(node) => node.location,
        Ast::MultiAssignRef(node) => child(&node.source),
        Ast::List(list) => list.items.iter().map(location).find(|at| *at >= 0).unwrap_or(-1),
        Ast::SelectStmt(select) => select.target_list.first().or(select.values_lists.first()).map_or(-1, location),
        _ => -1,
    }
}

/// The items of a List node; a single other node is a list of itself.
pub(crate) fn list_items(node: &Node) -> &[Node] {
    match &node.node {
        Some(Ast::List(list)) => &list.items,
        _ => std::slice::from_ref(node),
    }
}
