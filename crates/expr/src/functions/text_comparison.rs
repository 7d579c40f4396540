//! Comparison of character strings, bytea, names and "char". Strings compare by their bytes (the C.UTF-8 collation); char(n) without its
//! trailing blanks.

use std::cmp::Ordering;

use super::{
    Function,
    kernel::text_test,
    lift::{TextBytes, strict},
};

pub fn functions() -> Vec<Function> {
    let mut functions = Vec::new();
    strings(&mut functions);
    blank_padded(&mut functions);
    bytes(&mut functions);
    functions
}

/// The value of a char(n) as it compares: without trailing blanks.
pub(crate) fn without_blanks(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
    &text[..end]
}

macro_rules! compare_all {
    ($functions:ident, [$eq:literal, $ne:literal, $lt:literal, $le:literal, $gt:literal, $ge:literal]) => {
        $functions.extend([
            text_test($eq, |a, b| a == b),
            text_test($ne, |a, b| a != b),
            text_test($lt, |a, b| a < b),
            text_test($le, |a, b| a <= b),
            text_test($gt, |a, b| a > b),
            text_test($ge, |a, b| a >= b),
        ]);
    };
}

fn strings(functions: &mut Vec<Function>) {
    compare_all!(functions, ["texteq", "textne", "text_lt", "text_le", "text_gt", "text_ge"]);
    compare_all!(functions, ["nameeq", "namene", "namelt", "namele", "namegt", "namege"]);
    compare_all!(functions, ["nameeqtext", "namenetext", "namelttext", "nameletext", "namegttext", "namegetext"]);
    compare_all!(functions, ["texteqname", "textnename", "textltname", "textlename", "textgtname", "textgename"]);
    compare_all!(functions, ["chareq", "charne", "charlt", "charle", "chargt", "charge"]);
    functions.extend([
        strict!("text_pattern_lt", |a: TextBytes, b: TextBytes| a < b),
        strict!("text_pattern_le", |a: TextBytes, b: TextBytes| a <= b),
        strict!("text_pattern_gt", |a: TextBytes, b: TextBytes| a > b),
        strict!("text_pattern_ge", |a: TextBytes, b: TextBytes| a >= b),
        strict!("bttextcmp", |a: TextBytes, b: TextBytes| a.cmp(b) as i32),
        strict!("bttext_pattern_cmp", |a: TextBytes, b: TextBytes| a.cmp(b) as i32),
        strict!("btcharcmp", |a: TextBytes, b: TextBytes| a.first().map_or(0, |&a| a as i32)
            - b.first().map_or(0, |&b| b as i32)),
        strict!("btnamecmp", |a: TextBytes, b: TextBytes| a.cmp(b) as i32),
        strict!("btnametextcmp", |a: TextBytes, b: TextBytes| a.cmp(b) as i32),
        strict!("bttextnamecmp", |a: TextBytes, b: TextBytes| a.cmp(b) as i32),
        strict!("text_larger", |a: &str, b: &str| a.max(b).to_owned()),
        strict!("text_smaller", |a: &str, b: &str| a.min(b).to_owned()),
    ]);
}

fn compare_padded(a: &[u8], b: &[u8]) -> Ordering {
    without_blanks(a).cmp(without_blanks(b))
}

fn blank_padded(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("bpchareq", |a: TextBytes, b: TextBytes| compare_padded(a, b).is_eq()),
        strict!("bpcharne", |a: TextBytes, b: TextBytes| compare_padded(a, b).is_ne()),
        strict!("bpcharlt", |a: TextBytes, b: TextBytes| compare_padded(a, b).is_lt()),
        strict!("bpcharle", |a: TextBytes, b: TextBytes| compare_padded(a, b).is_le()),
        strict!("bpchargt", |a: TextBytes, b: TextBytes| compare_padded(a, b).is_gt()),
        strict!("bpcharge", |a: TextBytes, b: TextBytes| compare_padded(a, b).is_ge()),
        strict!("bpchar_pattern_lt", |a: TextBytes, b: TextBytes| compare_padded(a, b).is_lt()),
        strict!("bpchar_pattern_le", |a: TextBytes, b: TextBytes| compare_padded(a, b).is_le()),
        strict!("bpchar_pattern_gt", |a: TextBytes, b: TextBytes| compare_padded(a, b).is_gt()),
        strict!("bpchar_pattern_ge", |a: TextBytes, b: TextBytes| compare_padded(a, b).is_ge()),
        strict!("bpcharcmp", |a: TextBytes, b: TextBytes| compare_padded(a, b) as i32),
        strict!("btbpchar_pattern_cmp", |a: TextBytes, b: TextBytes| compare_padded(a, b) as i32),
        strict!("bpchar_larger", |a: &str, b: &str| if compare_padded(a.as_bytes(), b.as_bytes()).is_ge() { a } else { b }
            .to_owned()),
        strict!("bpchar_smaller", |a: &str, b: &str| if compare_padded(a.as_bytes(), b.as_bytes()).is_le() { a } else { b }
            .to_owned()),
    ]);
}

fn bytes(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("byteaeq", |a: &[u8], b: &[u8]| a == b),
        strict!("byteane", |a: &[u8], b: &[u8]| a != b),
        strict!("bytealt", |a: &[u8], b: &[u8]| a < b),
        strict!("byteale", |a: &[u8], b: &[u8]| a <= b),
        strict!("byteagt", |a: &[u8], b: &[u8]| a > b),
        strict!("byteage", |a: &[u8], b: &[u8]| a >= b),
        strict!("byteacmp", |a: &[u8], b: &[u8]| a.cmp(b) as i32),
    ]);
}
