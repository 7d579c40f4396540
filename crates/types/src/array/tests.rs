//! Expected values are PostgreSQL 15's.

use super::*;
use crate::{FormatSettings, text_format};

fn int_array(text: &str) -> Array {
    let resolver = text_format::tests::TestResolver;
    match text_format::datum_from_text(text, SqlType::INT4_ARRAY, &FormatSettings::default(), &resolver).expect(text) {
        Datum::Array(array) => (*array).clone(),
        other => panic!("{other:?}"),
    }
}

fn print(result: Result<Array>) -> String {
    match result {
        Ok(array) => {
            let mut out = String::new();
            let resolver = text_format::tests::TestResolver;
            let datum = Datum::Array(array.into());
            text_format::datum_to_text(&datum, SqlType::INT4_ARRAY, &FormatSettings::default(), &resolver, &mut out);
            out
        }
        Err(error) => {
            let detail = error.fields().detail.as_deref().map(|detail| format!(" / {detail}")).unwrap_or_default();
            format!("{:?} {}{detail}", error.sqlstate(), error.message())
        }
    }
}

fn bounds(lower: Option<i32>, upper: Option<i32>) -> SliceBounds {
    SliceBounds { lower, upper }
}

#[test]
fn elements_and_slices() {
    let matrix = int_array("[0:1][2:4]={{1,2,3},{4,5,6}}");
    assert!(matches!(matrix.element(&[1, 3]), Some(Datum::Int4(5))));
    assert!(matrix.element(&[2, 3]).is_none());
    assert!(matrix.element(&[1]).is_none());
    assert_eq!(print(Ok(matrix.slice(&[bounds(Some(1), Some(9)), bounds(None, Some(3))]))), "{{4,5}}");
    assert_eq!(print(Ok(matrix.slice(&[bounds(Some(0), Some(0))]))), "{{1,2,3}}");
    assert_eq!(print(Ok(matrix.slice(&[bounds(Some(5), Some(9))]))), "{}");
    assert_eq!(print(Ok(int_array("{1,2,3}").slice(&[bounds(Some(i32::MIN), Some(2))]))), "{1,2}");
    assert_eq!(matrix.outer_items().len(), 2);
}

#[test]
fn concatenation() {
    let concat = |left: &str, right: &str| print(int_array(left).concat(&int_array(right)));
    assert_eq!(concat("[0:1]={1,2}", "{3}"), "[0:2]={1,2,3}");
    assert_eq!(concat("{}", "{{1}}"), "{{1}}");
    assert_eq!(concat("{1,2}", "{{3,4}}"), "{{1,2},{3,4}}");
    assert_eq!(concat("{{3,4}}", "{1,2}"), "{{3,4},{1,2}}");
    assert_eq!(
        concat("{{1,2}}", "{{1}}"),
        "2202E cannot concatenate incompatible arrays / Arrays with differing element dimensions are not compatible for concatenation."
    );
    assert_eq!(
        concat("{1}", "{{{1}}}"),
        "2202E cannot concatenate incompatible arrays / Arrays of 1 and 3 dimensions are not compatible for concatenation."
    );
    assert_eq!(print(int_array("[0:1]={1,2}").append(Datum::Int4(3))), "[0:2]={1,2,3}");
    assert_eq!(print(int_array("[0:1]={1,2}").prepend(Datum::Null)), "[0:2]={NULL,1,2}");
    assert_eq!(print(int_array("{}").prepend(Datum::Int4(1))), "{1}");
    assert_eq!(print(int_array("{{1}}").append(Datum::Int4(3))), "22000 argument must be empty or one-dimensional array");
}

#[test]
fn assignment() {
    assert_eq!(print(int_array("{1,2}").with_element(&[5], Datum::Int4(9))), "{1,2,NULL,NULL,9}");
    assert_eq!(print(int_array("{1,2}").with_element(&[-1], Datum::Int4(9))), "[-1:2]={9,NULL,1,2}");
    assert_eq!(print(int_array("{}").with_element(&[3], Datum::Int4(9))), "[3:3]={9}");
    assert_eq!(print(int_array("{{1,2}}").with_element(&[2, 1], Datum::Int4(9))), "2202E array subscript out of range");
    assert_eq!(print(int_array("{1}").with_element(&[1, 1], Datum::Int4(9))), "2202E wrong number of array subscripts");
    assert_eq!(
        print(int_array("{1}").with_element(&[i32::MAX], Datum::Int4(9))),
        "54000 array size exceeds the maximum allowed (134217727)"
    );
    let source = int_array("{7,8,9}");
    assert_eq!(print(int_array("{1,2,3}").with_slice(&[bounds(Some(2), Some(3))], &source)), "{1,7,8}");
    assert_eq!(print(int_array("{1,2,3}").with_slice(&[bounds(Some(3), Some(5))], &source)), "{1,2,7,8,9}");
    assert_eq!(print(int_array("{1,2,3}").with_slice(&[bounds(Some(1), Some(4))], &source)), "2202E source array too small");
    assert_eq!(print(int_array("{}").with_slice(&[bounds(Some(0), Some(1))], &source)), "[0:1]={7,8}");
}

#[test]
fn nesting() {
    let nested = |texts: &[&str]| {
        let arrays: Vec<Datum> = texts.iter().map(|text| Datum::Array(int_array(text).into())).collect();
        print(Array::from_arrays(SqlType::INT4, &arrays))
    };
    assert_eq!(nested(&["{1,2}", "{3,4}"]), "{{1,2},{3,4}}");
    assert_eq!(nested(&["{}", "{}"]), "{}");
    assert_eq!(nested(&["{1}", "{}"]), "2202E multidimensional arrays must have array expressions with matching dimensions");
    assert_eq!(nested(&["{{{{{{1}}}}}}"]), "54000 number of array dimensions (7) exceeds the maximum allowed (6)");
    let shape = vec![Dimension { length: 2, lower_bound: 3 }];
    assert_eq!(print(Array::filled(SqlType::INT4, &Datum::Int4(7), shape)), "[3:4]={7,7}");
}
