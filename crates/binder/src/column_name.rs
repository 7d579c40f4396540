//! The name of an output column that has no AS (FigureColname).

use std::sync::Arc;

use pg_query::protobuf::{MinMaxOp, Node, SqlValueFunctionOp, SubLinkType, node::Node as Ast};

use crate::ast;

/// The name that PostgreSQL gives a column of this expression.
pub fn figure_column_name(node: &Node) -> Arc<str> {
    of_expression(node)
}

pub(crate) fn of_expression(node: &Node) -> Arc<str> {
    figure(node).map_or_else(|| Arc::from("?column?"), |(name, _)| Arc::from(name))
}

/// The name and how good it is: 1 may be overridden by something better below a cast, 2 is final.
fn figure(node: &Node) -> Option<(&str, u8)> {
    match node.node.as_ref()? {
        Ast::ColumnRef(reference) => reference.fields.iter().rev().find_map(ast::text).map(|name| (name, 2)),
        Ast::AIndirection(indirection) => match indirection.indirection.iter().rev().find_map(ast::text) {
            Some(name) => Some((name, 2)),
            None => figure(indirection.arg.as_deref()?),
        },
        Ast::FuncCall(call) => call.funcname.iter().rev().find_map(ast::text).map(|name| (name, 2)),
        Ast::AExpr(expression) if expression.kind() == pg_query::protobuf::AExprKind::AexprNullif => Some(("nullif", 2)),
        Ast::TypeCast(cast) => {
            let inner = cast.arg.as_deref().and_then(figure);
            match inner {
                Some((name, strength)) if strength > 1 => Some((name, strength)),
                _ => {
                    let ty = cast.type_name.as_ref()?.names.iter().rev().find_map(ast::text)?;
                    Some((ty, 1))
                }
            }
        }
        Ast::CollateClause(clause) => figure(clause.arg.as_deref()?),
        Ast::GroupingFunc(_) => Some(("grouping", 2)),
        Ast::SubLink(link) => match link.sub_link_type() {
            SubLinkType::ExistsSublink => Some(("exists", 2)),
            SubLinkType::ArraySublink => Some(("array", 2)),
            SubLinkType::ExprSublink => match link.subselect.as_deref()?.node.as_ref()? {
                Ast::SelectStmt(select) => {
                    let leaf = leftmost_leaf(select);
                    if !leaf.values_lists.is_empty() {
                        return Some(("column1", 2));
                    }
                    match leaf.target_list.first()?.node.as_ref()? {
                        Ast::ResTarget(target) if !target.name.is_empty() => Some((&target.name, 2)),
                        Ast::ResTarget(target) => Some((figure(target.val.as_deref()?).map_or("?column?", |(name, _)| name), 2)),
                        _ => None,
                    }
                }
                _ => None,
            },
            _ => None,
        },
        Ast::CaseExpr(case) => {
            case.defresult.as_deref().and_then(figure).filter(|(_, strength)| *strength > 1).or(Some(("case", 1)))
        }
        Ast::AArrayExpr(_) => Some(("array", 2)),
        Ast::RowExpr(_) => Some(("row", 2)),
        Ast::CoalesceExpr(_) => Some(("coalesce", 2)),
        Ast::MinMaxExpr(extreme) => Some((if extreme.op() == MinMaxOp::IsGreatest { "greatest" } else { "least" }, 2)),
        Ast::SqlvalueFunction(function) => Some((value_function(function.op())?, 2)),
        Ast::XmlSerialize(_) => Some(("xmlserialize", 2)),
        _ => None,
    }
}

fn leftmost_leaf(select: &pg_query::protobuf::SelectStmt) -> &pg_query::protobuf::SelectStmt {
    let mut leaf = select;
    while let Some(left) = &leaf.larg {
        leaf = left;
    }
    leaf
}

fn value_function(op: SqlValueFunctionOp) -> Option<&'static str> {
    use SqlValueFunctionOp as Op;
    Some(match op {
        Op::SvfopCurrentDate => "current_date",
        Op::SvfopCurrentTime | Op::SvfopCurrentTimeN => "current_time",
        Op::SvfopCurrentTimestamp | Op::SvfopCurrentTimestampN => "current_timestamp",
        Op::SvfopLocaltime | Op::SvfopLocaltimeN => "localtime",
        Op::SvfopLocaltimestamp | Op::SvfopLocaltimestampN => "localtimestamp",
        Op::SvfopCurrentRole => "current_role",
        Op::SvfopCurrentUser => "current_user",
        Op::SvfopUser => "user",
        Op::SvfopSessionUser => "session_user",
        Op::SvfopCurrentCatalog => "current_catalog",
        Op::SvfopCurrentSchema => "current_schema",
        Op::SqlvalueFunctionOpUndefined => return None,
    })
}
