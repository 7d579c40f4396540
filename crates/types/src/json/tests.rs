//! Expected values are PostgreSQL 15's.

use std::{
    cmp::Ordering,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use proptest::prelude::*;

use super::*;

fn jsonb(text: &str) -> Jsonb {
    Jsonb::parse(text).expect(text)
}

/// Everything an error says.
fn failure<T: std::fmt::Debug>(result: Result<T>) -> String {
    let error = result.expect_err("an error");
    let fields = error.fields();
    format!(
        "{:?}|{}|{}|{}",
        fields.sqlstate,
        fields.message,
        fields.detail.as_deref().unwrap_or(""),
        fields.context.as_deref().unwrap_or("")
    )
}

#[test]
fn syntax_errors_tell_token_and_line() {
    let long = "{\"a\":\n  [1,2,3,4444444444444444444444444444444444444444444444444444444, tru], \"ccc\":1}";
    for (text, detail, context) in [
        ("{\"a\":1, b}", "Token \"b\" is invalid.", "line 1: {\"a\":1, b..."),
        ("[1,]", "Expected JSON value, but found \"]\".", "line 1: [1,]"),
        ("{\"a\" 1}", "Expected \":\", but found \"1\".", "line 1: {\"a\" 1..."),
        ("{\"a\":1,}", "Expected string, but found \"}\".", "line 1: {\"a\":1,}"),
        ("{1}", "Expected string or \"}\", but found \"1\".", "line 1: {1..."),
        ("[1 2]", "Expected \",\" or \"]\", but found \"2\".", "line 1: [1 2..."),
        ("{\"a\":1 2}", "Expected \",\" or \"}\", but found \"2\".", "line 1: {\"a\":1 2..."),
        ("[\"a\tb\"]", "Character with value 0x09 must be escaped.", "line 1: [\"a..."),
        ("[\"a\\q\"]", "Escape sequence \"\\q\" is invalid.", "line 1: [\"a\\q..."),
        ("[\"\\u00g\"]", "\"\\u\" must be followed by four hexadecimal digits.", "line 1: [\"\\u00g..."),
        ("[\"abc", "Token \"\"abc\" is invalid.", "line 1: [\"abc"),
        ("", "The input string ended unexpectedly.", "line 1: "),
        ("1 2", "Expected end of input, but found \"2\".", "line 1: 1 2"),
        ("[01]", "Token \"01\" is invalid.", "line 1: [01..."),
        ("-", "Token \"-\" is invalid.", "line 1: -"),
        ("é", "Token \"é\" is invalid.", "line 1: é"),
        (long, "Token \"tru\" is invalid.", "line 2: ...44444444444444444444444444444444444444444444, tru..."),
    ] {
        let expected = format!("22P02|invalid input syntax for type json|{detail}|JSON data, {context}");
        assert_eq!(failure(validate(text)), expected);
        assert_eq!(failure(Jsonb::parse(text)), expected);
    }
}

#[test]
fn escapes_that_only_jsonb_refuses() {
    for (text, state, detail, context) in [
        ("[\"\\u0000\"]", "22P05|unsupported Unicode escape sequence", "\\u0000 cannot be converted to text.", "[\"\\u0000..."),
        (
            "[\"\\ud800\"]",
            "22P02|invalid input syntax for type json",
            "Unicode low surrogate must follow a high surrogate.",
            "[\"\\ud800\"...",
        ),
        (
            "[\"\\ud800\\ud800\"]",
            "22P02|invalid input syntax for type json",
            "Unicode high surrogate must not follow a high surrogate.",
            "[\"\\ud800\\ud800...",
        ),
    ] {
        assert!(validate(text).is_ok());
        assert_eq!(failure(Jsonb::parse(text)), format!("{state}|{detail}|JSON data, line 1: {context}"));
    }
    assert_eq!(jsonb("\"\\u00e9\\n\\/\\\"\\u0001\\ud83d\\ude00\"").to_string(), "\"é\\n/\\\"\\u0001😀\"");
}

#[test]
fn deep_documents() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(jsonb(&nested(9000)).to_string().len(), 18000);
    assert_eq!(jsonb(&nested(9000)).cmp(&jsonb(&nested(9000))), Ordering::Equal);
    assert!(failure(Jsonb::parse(&nested(10_000))).starts_with("54001|stack depth limit exceeded"));
    assert!(failure(validate(&nested(1_000_000))).starts_with("54001"));
}

#[test]
fn objects_print_in_jsonb_order_with_the_last_duplicate() {
    assert_eq!(jsonb("{\"b\":1,\"aa\":2,\"a\":3,\"b\":4.50}").to_string(), "{\"a\": 3, \"b\": 4.50, \"aa\": 2}");
    let mut pretty = String::new();
    jsonb("{\"a\":[1,{\"b\":[]}],\"c\":{}}").print_pretty(&mut pretty);
    assert_eq!(
        pretty,
        "{\n    \"a\": [\n        1,\n        {\n            \"b\": [\n            ]\n        }\n    ],\n    \"c\": {\n    }\n}"
    );
}

#[test]
fn order_of_documents() {
    let ordered = [
        "[]",
        "null",
        "\"a\"",
        "\"b\"",
        "1",
        "2.5",
        "false",
        "true",
        "[1]",
        "[\"a\", 1]",
        "[1, 1]",
        "{}",
        "{\"a\": 1}",
        "{\"b\": 0}",
        "{\"a\": 1, \"b\": 2}",
    ];
    let ordered: Vec<Jsonb> = ordered.iter().map(|text| jsonb(text)).collect();
    for pair in ordered.windows(2) {
        assert!(pair[0] < pair[1], "{} {}", pair[0], pair[1]);
    }
    assert_eq!(jsonb("{\"a\":1.0}"), jsonb("{\"a\":1.00}"));
}

#[test]
fn containment_and_paths() {
    for (whole, part, contains) in [
        ("[1,2,[1,3]]", "[[1]]", true),
        ("[1,2,[1,3]]", "[[2]]", false),
        ("[\"a\",\"b\"]", "\"a\"", true),
        ("1", "[1]", false),
        ("[[1]]", "1", false),
        ("{\"a\":{\"b\":[1,2]},\"c\":1}", "{\"a\":{\"b\":[2]}}", true),
        ("{\"a\":1}", "{\"a\":1.0}", true),
        ("[1,1]", "[1,1,1]", true),
    ] {
        assert_eq!(jsonb(whole).contains(&jsonb(part)), contains, "{whole} @> {part}");
    }
    let document = jsonb("{\"a\":{\"b\":[10,20]}}");
    assert_eq!(document.path(["a", "b", "-1"]).map(ToString::to_string).as_deref(), Some("20"));
    assert_eq!(document.path(["a", "b", " +1"]).map(ToString::to_string).as_deref(), Some("20"));
    assert!(document.path(["a", "b", "x"]).is_none());
    assert!(document.path(["a", "b", "0", "c"]).is_none());
}

#[test]
fn changes() {
    let set = |target: &str, path: &[&str], value: &str, create| {
        let path: Vec<Option<&str>> = path.iter().map(|step| Some(*step)).collect();
        jsonb(target).set_path(&path, &jsonb(value), create).map(|changed| changed.to_string())
    };
    assert_eq!(set("{\"a\":[1,2]}", &["a", "0"], "9", true).expect(""), "{\"a\": [9, 2]}");
    assert_eq!(set("{\"a\":[1,2]}", &["a", "9"], "9", true).expect(""), "{\"a\": [1, 2, 9]}");
    assert_eq!(set("{\"a\":[1,2]}", &["a", "-9"], "9", true).expect(""), "{\"a\": [9, 1, 2]}");
    assert_eq!(set("{\"a\":1}", &["b"], "9", false).expect(""), "{\"a\": 1}");
    assert_eq!(set("{\"a\":1}", &["b", "c"], "9", true).expect(""), "{\"a\": 1}");
    assert_eq!(failure(set("[1]", &["x"], "9", true)), "22P02|path element at position 1 is not an integer: \"x\"||");
    assert_eq!(failure(set("1", &["x"], "9", true)), "22023|cannot set path in scalar||");
    let insert = |target: &str, path: &[Option<&str>], position| jsonb(target).insert_path(path, &jsonb("9"), position);
    assert_eq!(insert("[1,2]", &[Some("0")], InsertPosition::After).expect("").to_string(), "[1, 9, 2]");
    assert_eq!(insert("[1,2]", &[Some("-1")], InsertPosition::Before).expect("").to_string(), "[1, 9, 2]");
    assert_eq!(failure(insert("{\"a\":1}", &[Some("a")], InsertPosition::Before)), "22023|cannot replace existing key||");
    assert_eq!(failure(insert("{\"a\":1}", &[None], InsertPosition::Before)), "22004|path element at position 1 is null||");
    assert_eq!(jsonb("[1,[2,3]]").delete_path(&[Some("1"), Some("0")]).expect("").to_string(), "[1, [3]]");
    assert_eq!(jsonb("[\"a\",1,\"b\",\"a\"]").delete_keys(["a"]).expect("").to_string(), "[1, \"b\"]");
    assert_eq!(jsonb("[1,2,3]").delete_element(-1).expect("").to_string(), "[1, 2]");
    assert_eq!(jsonb("{\"a\":1}").concat(&jsonb("[2]")).to_string(), "[{\"a\": 1}, 2]");
    assert_eq!(jsonb("1").concat(&jsonb("\"x\"")).to_string(), "[1, \"x\"]");
    assert_eq!(jsonb("{\"a\":1,\"b\":1}").concat(&jsonb("{\"a\":2}")).to_string(), "{\"a\": 2, \"b\": 1}");
    assert_eq!(jsonb("{\"a\":null,\"b\":[null,{\"c\":null}]}").strip_nulls().to_string(), "{\"b\": [null, {}]}");
}

#[test]
fn subscript_assignment_builds_the_way() {
    let assign = |target: &str, path: &[&str]| {
        let path: Vec<Option<&str>> = path.iter().map(|step| Some(*step)).collect();
        jsonb(target).assign_path(&path, &jsonb("9")).map(|changed| changed.to_string())
    };
    assert_eq!(assign("{}", &["a", "2", "b"]).expect(""), "{\"a\": [null, null, {\"b\": 9}]}");
    assert_eq!(assign("[1]", &["3"]).expect(""), "[1, null, null, 9]");
    assert_eq!(assign("[1, {\"a\": 2}]", &["-1", "a"]).expect(""), "[1, {\"a\": 9}]");
    assert_eq!(failure(assign("[1]", &["-3"])), "22023|path element at position 1 is out of range: -3||");
    assert_eq!(
        failure(assign("{\"a\": 1}", &["a", "b"])),
        "22023|cannot replace existing key|The path assumes key is a composite object, but it is a scalar value.|"
    );
}

#[test]
fn json_text_keeps_its_spelling() {
    let document = " { \"a\" : [1,  2.50, \"x]\\\"y\"], \"b\":{ \"c\":null } , \"a\\u0062\" : 7, \"b\": \"\\u00e9\" } ";
    assert_eq!(text::field(document, "a").expect(""), Some("[1,  2.50, \"x]\\\"y\"]"));
    assert_eq!(text::field(document, "b").expect(""), Some("\"\\u00e9\""));
    assert_eq!(text::field(document, "ab").expect(""), Some("7"));
    assert_eq!(text::path(document, ["a", "-1"]).expect(""), Some("\"x]\\\"y\""));
    assert_eq!(text::as_text("\"x]\\\"y\"").expect("").as_deref(), Some("x]\"y"));
    assert_eq!(text::as_text("null").expect(""), None);
    assert_eq!(text::elements("[ [] , {\"a\":[1]}, 3 ]").collect::<Vec<_>>(), ["[]", "{\"a\":[1]}", "3"]);
    assert_eq!(text::elements("{}").count(), 0);
    assert_eq!(text::members(document).count(), 4);
    assert_eq!(text::kind(" true"), JsonKind::Boolean);
    let stripped = text::strip_nulls(" { \"a\" : null, \"\\u0062\" : [ null, { \"c\" : null } , 1.0 ] } ");
    assert_eq!(stripped.expect(""), "{\"b\":[null,{},1.0]}");
}

fn documents() -> impl Strategy<Value = Jsonb> {
    let scalar = prop_oneof![
        Just(Jsonb::Null),
        any::<bool>().prop_map(Jsonb::Bool),
        (any::<i64>(), 0u16..25).prop_map(|(mantissa, scale)| Jsonb::Number(Numeric::from_parts(mantissa, scale))),
        ".{0,8}".prop_filter("text holds no NUL", |text| !text.contains('\0')).prop_map(|text| Jsonb::string(&text)),
    ];
    scalar.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Jsonb::array),
            proptest::collection::vec(("[a-c\"\\\\\n]{0,3}".prop_map(Arc::from), inner), 0..6).prop_map(Jsonb::object),
        ]
    })
}

proptest! {
    #[test]
    fn documents_round_trip(document in documents()) {
        let printed = document.to_string();
        let back = jsonb(&printed);
        prop_assert_eq!(back.to_string(), printed.clone());
        prop_assert_eq!(&back, &document);
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        prop_assert_eq!(hasher.hash_one(&back), hasher.hash_one(&document));
        prop_assert!(document.contains(&back));
        let mut pretty = String::new();
        document.print_pretty(&mut pretty);
        prop_assert_eq!(&jsonb(&pretty), &document);
        validate(&printed).expect("valid");
    }

    #[test]
    fn text_access_agrees_with_the_tree(document in documents()) {
        let printed = document.to_string();
        match &document {
            Jsonb::Array(elements) => {
                let texts: Vec<_> = text::elements(&printed).map(jsonb).collect();
                prop_assert_eq!(&texts[..], &elements[..]);
            }
            Jsonb::Object(members) => {
                for (key, value) in members.iter() {
                    prop_assert_eq!(&jsonb(text::field(&printed, key).expect("readable").expect("there")), value);
                }
            }
            scalar => {
                let read = text::as_text(&printed).expect("readable").map(|text| text.into_owned());
                prop_assert_eq!(read, scalar.to_text().map(|text| text.to_string()));
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]{}:,\"\\\\u0-9a-f tnl.é-]{0,24}") {
        let valid = validate(&text).is_ok();
        prop_assert!(valid || Jsonb::parse(&text).is_err());
    }
}
