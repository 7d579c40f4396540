//! Expected values are PostgreSQL 15's.

use types::{Physical, text_format::TypeResolver};

use super::*;
use crate::EnumDefinition;

fn names() -> Names {
    let mut catalog = Catalog::new();
    let public = Oid::PUBLIC_NAMESPACE;
    let other = Oid(17000);
    catalog.put_schema(crate::Schema { oid: other, name: "Other".into(), owner: Oid::BOOTSTRAP_ROLE, comment: None });
    let label = EnumLabel { type_oid: Oid(16400), label_oid: Oid(16401), sort_order: 1.0, label: "red".into() };
    let ty = |oid, schema, name: &str, kind, array_type| UserType {
        oid,
        schema,
        name: name.into(),
        owner: Oid::BOOTSTRAP_ROLE,
        kind,
        array_type,
        comment: None,
    };
    let color = UserTypeKind::Enum(EnumDefinition { labels: vec![Arc::new(label)] });
    catalog.put_type(ty(Oid(16400), public, "color", color, Oid(16402)));
    let colors = UserTypeKind::Array { element: SqlType::of(Oid(16400)) };
    catalog.put_type(ty(Oid(16402), public, "_color", colors, Oid::INVALID));
    let positive = UserTypeKind::Domain {
        base: SqlType::NUMERIC.with_typmod(524294),
        not_null: false,
        default: None,
        constraints: Vec::new(),
        collation: Oid::INVALID,
    };
    catalog.put_type(ty(Oid(16410), other, "positive", positive, Oid::INVALID));
    let mut names = Names::new(Arc::new(catalog), vec![public]);
    names.cluster = Arc::new(ClusterNames { current_database: "postgres".into(), roles: vec![(Oid(10), "postgres".into())] });
    names
}

#[test]
fn types_are_found_and_printed() {
    let names = names();
    for (text, printed) in [
        ("int", "integer"),
        ("numeric(8,2)[]", "numeric(8,2)[]"),
        ("timestamp(3) with time zone", "timestamp(3) with time zone"),
        ("double  precision", "double precision"),
        ("\"char\"", "\"char\""),
        ("char", "character(1)"),
        ("bpchar", "bpchar"),
        ("varchar(10)", "character varying(10)"),
        ("interval day to second(1)", "interval day to second(1)"),
        ("interval(2)", "interval(2)"),
        ("_int4", "integer[]"),
        ("color[]", "color[]"),
        ("\"Other\".positive", "\"Other\".positive"),
        ("information_schema.sql_identifier", "information_schema.sql_identifier"),
        ("pg_class", "pg_class"),
        ("oidvector", "oidvector"),
        ("bit varying(4)", "bit varying(4)"),
    ] {
        let ty = names.parse_type(text).expect(text);
        assert_eq!(names.format_type(ty), printed, "{text}");
    }
    assert_eq!(names.format_type_oid(Oid::BPCHAR), "character");
    let positive = names.type_by_name(Some("Other"), "positive").expect("the domain exists");
    assert_eq!(positive.physical, Physical::Numeric);
    assert_eq!(names.base_type(positive).typmod, 524294);
}

#[test]
fn unknown_types_fail_as_in_postgresql() {
    let names = names();
    for (text, message) in [
        ("nosuch", "type \"nosuch\" does not exist"),
        ("nosch.t", "schema \"nosch\" does not exist"),
        ("int4(", "syntax error at end of input"),
        ("setof int", "invalid type name \"setof int\""),
        ("", "invalid type name \"\""),
        ("foo%type", "syntax error at or near \"%\""),
    ] {
        assert_eq!(names.parse_type(text).expect_err(text).message(), message);
    }
    let unknown = names.enum_label(Oid(16400), "blue").expect("an enum").expect_err("no such label");
    assert_eq!(unknown.message(), "invalid input value for enum color: \"blue\"");
}

#[test]
fn objects_are_found_by_name_and_print_it() {
    let names = names();
    for (reg_type, text, printed) in [
        (Oid::REGCLASS, "pg_class", "pg_class"),
        (Oid::REGCLASS, "postgres.pg_catalog.pg_class", "pg_class"),
        (Oid::REGCLASS, "information_schema.tables", "information_schema.tables"),
        (Oid::REGTYPE, "character", "character"),
        (Oid::REGPROC, "pg_catalog.now", "now"),
        (Oid::REGPROCEDURE, "abs(int4)", "abs(integer)"),
        (Oid::REGOPER, "||/", "||/"),
        (Oid::REGOPERATOR, "-(none,int4)", "-(NONE,integer)"),
        (Oid::REGNAMESPACE, "\"Other\"", "\"Other\""),
        (Oid::REGROLE, "postgres", "postgres"),
        (Oid::REGCOLLATION, "\"C\"", "\"C\""),
    ] {
        let oid = names.reg_object(reg_type, text).expect(text);
        assert_eq!(names.reg_name(reg_type, oid).as_deref(), Some(printed));
    }
    assert_eq!(names.reg_name(Oid::REGPROC, Oid(1397)).as_deref(), Some("pg_catalog.abs"));
    assert_eq!(names.reg_name(Oid::REGCLASS, Oid(99999)), None);
}

#[test]
fn unknown_objects_fail_as_in_postgresql() {
    let names = names();
    for (reg_type, text, message) in [
        (Oid::REGCLASS, "nosuch", "relation \"nosuch\" does not exist"),
        (Oid::REGCLASS, "a.b.c.d", "improper relation name (too many dotted names): a.b.c.d"),
        (Oid::REGCLASS, "x.pg_catalog.pg_class", "cross-database references are not implemented: \"x.pg_catalog.pg_class\""),
        (Oid::REGPROC, "abs", "more than one function named \"abs\""),
        (Oid::REGPROCEDURE, "abs", "expected a left parenthesis"),
        (Oid::REGPROCEDURE, "abs(text)", "function \"abs(text)\" does not exist"),
        (Oid::REGOPER, "+", "more than one operator named +"),
        (Oid::REGOPERATOR, "+(int4)", "missing argument"),
        (Oid::REGNAMESPACE, "a.b", "invalid name syntax"),
        (Oid::REGROLE, "nosuch", "role \"nosuch\" does not exist"),
        (Oid::REGCOLLATION, "C", "collation \"c\" for encoding \"UTF8\" does not exist"),
    ] {
        assert_eq!(names.reg_object(reg_type, text).expect_err(text).message(), message);
    }
}
