//! ROW(...) and ARRAY[...].

use std::sync::Arc;

use expr::Expr;
use pg_query::protobuf::{AArrayExpr, Node, RowExpr, node::Node as Ast};
use types::{Error, Oid, Result, SqlState, SqlType};

use crate::{
    ast,
    coercion::Context,
    common_type,
    state::{Binder, Typed},
    type_facts,
};

/// PostgreSQL's limit on the columns of a row.
const LARGEST_ROW: usize = 1664;

impl Binder<'_> {
    pub(crate) fn bind_row(&mut self, row: &RowExpr) -> Result<Typed> {
        let items = self.bind_row_items(&row.args)?;
        if items.len() > LARGEST_ROW {
            let message = format!("ROW expressions can have at most {LARGEST_ROW} entries");
            return Err(Error::new(SqlState::TOO_MANY_COLUMNS, message).at(ast::position(row.location)));
        }
        let names: Arc<[Arc<str>]> = (1..=items.len()).map(|at| Arc::from(format!("f{at}"))).collect();
        let fields = items.into_iter().map(|item| item.expr).collect();
        Ok(Typed::new(Expr::Row { fields, names, ty: SqlType::RECORD }, row.location))
    }

    /// The items of a row, `t.*` expanded.
    pub(crate) fn bind_row_items(&mut self, nodes: &[Node]) -> Result<Vec<Typed>> {
        let mut items = Vec::with_capacity(nodes.len());
        for node in nodes {
            match self.expand_star(node)? {
                Some(columns) => items.extend(columns.into_iter().map(|(_, typed)| typed)),
                None => items.push(self.bind_expr(node)?),
            }
        }
        Ok(items)
    }

    /// `ARRAY[...]`; `wanted` is the array and element type that a cast around it asks for.
    pub(crate) fn bind_array(&mut self, array: &AArrayExpr, wanted: Option<(SqlType, SqlType)>) -> Result<Typed> {
        let mut elements = Vec::with_capacity(array.elements.len());
        let mut multidimensional = false;
        for node in &array.elements {
            let element = match ast::content(node)? {
                Ast::AArrayExpr(inner) => {
                    multidimensional = true;
                    self.deeper(|binder| binder.bind_array(inner, wanted))?
                }
                _ => {
                    let element = self.bind_expr(node)?;
                    multidimensional |= self.is_sub_array(element.ty());
                    element
                }
            };
            elements.push(element);
        }
        let location = array.location;
        let (array_type, element_type, each) = match wanted {
            Some((array_type, element_type)) => {
                (array_type, element_type, if multidimensional { array_type } else { element_type })
            }
            None => self.array_types(&elements, multidimensional, location)?,
        };
        let explicit = wanted.is_some();
        let mut converted = Vec::with_capacity(elements.len());
        for element in elements {
            converted.push(self.coerce_element(element, each, explicit)?);
        }
        let array_type = array_type.with_typmod(-1);
        let expr =
            Expr::Array { elements: converted, ty: array_type, element_type: element_type.with_typmod(-1), multidimensional };
        Ok(Typed::new(expr, location))
    }

    /// Whether values of the type make a further dimension of an array around them; int2vector and oidvector do not.
    pub(crate) fn is_sub_array(&self, ty: SqlType) -> bool {
        !matches!(ty.oid, Oid::INT2VECTOR | Oid::OIDVECTOR)
            && type_facts::element(&self.names, type_facts::base(&self.names, ty.oid)).is_some()
    }

    /// Array type, element type and what each element must be, from the elements.
    fn array_types(&self, elements: &[Typed], multidimensional: bool, location: i32) -> Result<(SqlType, SqlType, SqlType)> {
        let position = ast::position(location);
        if elements.is_empty() {
            return Err(Error::new(SqlState::INDETERMINATE_DATATYPE, "cannot determine type of empty array")
                .hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
                .at(position));
        }
        let common = common_type::select_for(&self.names, elements, "ARRAY")?;
        let missing = |what: &str| {
            let message = format!("could not find {what} type for data type {}", self.names.format_type_oid(common.oid));
            Error::new(SqlState::UNDEFINED_OBJECT, message).at(position)
        };
        if multidimensional {
            let element = type_facts::element(&self.names, common.oid).ok_or_else(|| missing("element"))?;
            return Ok((common, element, common));
        }
        let array = type_facts::array(&self.names, common.oid).ok_or_else(|| missing("array"))?;
        Ok((array, common, common))
    }

    fn coerce_element(&mut self, element: Typed, target: SqlType, explicit: bool) -> Result<Expr> {
        if !explicit {
            return self.coerce_to_common(element, target, "ARRAY");
        }
        let (source, position) = (element.ty().oid, element.position());
        if source == Oid::INVALID {
            return Ok(element.expr);
        }
        self.coerce_to(element, target, Context::Explicit)?.ok_or_else(|| {
            let message =
                format!("cannot cast type {} to {}", self.names.format_type_oid(source), self.names.format_type_oid(target.oid));
            Error::new(SqlState::CANNOT_COERCE, message).at(position)
        })
    }
}
