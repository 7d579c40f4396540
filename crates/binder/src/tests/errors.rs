//! What is refused, and how.

use super::*;

/// Statement, SQLSTATE, message, position, hint.
type Case = (&'static str, SqlState, &'static str, Option<usize>, Option<&'static str>);

fn check(cases: &[Case]) {
    for (sql, sqlstate, message, position, hint) in cases {
        let error = bind_text(sql).expect_err(sql);
        let fields = error.fields();
        assert_eq!(error.message(), *message, "{sql}");
        assert_eq!(error.sqlstate(), *sqlstate, "{sql}");
        assert_eq!(fields.position, *position, "{sql}");
        assert_eq!(fields.hint.as_deref(), *hint, "{sql}");
    }
}

const CASTS: &str = "No operator matches the given name and argument types. You might need to add explicit type casts.";
const FUNCTION_CASTS: &str = "No function matches the given name and argument types. You might need to add explicit type casts.";

#[test]
fn names() {
    check(&[
        ("SELECT nosuch FROM t", SqlState::UNDEFINED_COLUMN, "column \"nosuch\" does not exist", Some(8), None),
        (
            "SELECT idd FROM t",
            SqlState::UNDEFINED_COLUMN,
            "column \"idd\" does not exist",
            Some(8),
            Some("Perhaps you meant to reference the column \"t.id\"."),
        ),
        ("SELECT id FROM t, s", SqlState::AMBIGUOUS_COLUMN, "column reference \"id\" is ambiguous", Some(8), None),
        ("SELECT u.id FROM t", SqlState::UNDEFINED_TABLE, "missing FROM-clause entry for table \"u\"", Some(8), None),
        (
            "SELECT t.id FROM t AS u",
            SqlState::UNDEFINED_TABLE,
            "invalid reference to FROM-clause entry for table \"t\"",
            Some(8),
            Some("Perhaps you meant to reference the table alias \"u\"."),
        ),
        (
            "SELECT * FROM t JOIN s ON true, s AS r JOIN (SELECT 1 WHERE t.a = 1) q ON true",
            SqlState::UNDEFINED_TABLE,
            "invalid reference to FROM-clause entry for table \"t\"",
            Some(61),
            Some("There is an entry for table \"t\", but it cannot be referenced from this part of the query."),
        ),
        ("SELECT * FROM nosuch", SqlState::UNDEFINED_TABLE, "relation \"nosuch\" does not exist", Some(15), None),
        ("SELECT * FROM t, t", SqlState::DUPLICATE_ALIAS, "table name \"t\" specified more than once", None, None),
        ("SELECT *", SqlState::SYNTAX_ERROR, "SELECT * with no tables specified is not valid", Some(8), None),
        (
            "SELECT * FROM (SELECT 1)",
            SqlState::SYNTAX_ERROR,
            "subquery in FROM must have an alias",
            Some(15),
            Some("For example, FROM (SELECT ...) [AS] foo."),
        ),
        ("SELECT 1::nosuch", SqlState::UNDEFINED_OBJECT, "type \"nosuch\" does not exist", Some(11), None),
    ]);
}

#[test]
fn types_and_overloads() {
    check(&[
        (
            "SELECT 1 FROM t WHERE a = b",
            SqlState::UNDEFINED_FUNCTION,
            "operator does not exist: integer = text",
            Some(25),
            Some(CASTS),
        ),
        (
            "SELECT abs('x'::text)",
            SqlState::UNDEFINED_FUNCTION,
            "function abs(text) does not exist",
            Some(8),
            Some(FUNCTION_CASTS),
        ),
        (
            "SELECT a FROM t WHERE a = 'x'",
            SqlState::INVALID_TEXT_REPRESENTATION,
            "invalid input syntax for type integer: \"x\"",
            Some(27),
            None,
        ),
        (
            "SELECT 1 WHERE 'a'::text",
            SqlState::DATATYPE_MISMATCH,
            "argument of WHERE must be type boolean, not type text",
            Some(16),
            None,
        ),
        (
            "SELECT CASE WHEN true THEN 1 ELSE true END",
            SqlState::DATATYPE_MISMATCH,
            "CASE types boolean and integer cannot be matched",
            Some(28),
            None,
        ),
        (
            "SELECT 1 UNION SELECT true",
            SqlState::DATATYPE_MISMATCH,
            "UNION types integer and boolean cannot be matched",
            Some(23),
            None,
        ),
        (
            "SELECT ARRAY[]",
            SqlState::INDETERMINATE_DATATYPE,
            "cannot determine type of empty array",
            Some(8),
            Some("Explicitly cast to the desired type, for example ARRAY[]::integer[]."),
        ),
        ("SELECT true::date", SqlState::CANNOT_COERCE, "cannot cast type boolean to date", Some(12), None),
    ]);
    let error = bind_text("SELECT $2::int").expect_err("$1 is never mentioned");
    assert_eq!(error.message(), "could not determine data type of parameter $1");
    assert_eq!(error.sqlstate(), SqlState::INDETERMINATE_DATATYPE);
}

#[test]
fn grouping() {
    let ungrouped = "column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate function";
    check(&[
        ("SELECT b, a FROM t GROUP BY b", SqlState::GROUPING_ERROR, ungrouped, Some(11), None),
        ("SELECT max(a), a FROM t", SqlState::GROUPING_ERROR, ungrouped, Some(16), None),
        ("SELECT sum(sum(a)) FROM t", SqlState::GROUPING_ERROR, "aggregate function calls cannot be nested", Some(12), None),
        (
            "SELECT 1 FROM t WHERE sum(a) > 1",
            SqlState::GROUPING_ERROR,
            "aggregate functions are not allowed in WHERE",
            Some(23),
            None,
        ),
        (
            "SELECT 1 FROM t GROUP BY 2",
            SqlState::INVALID_COLUMN_REFERENCE,
            "GROUP BY position 2 is not in select list",
            Some(26),
            None,
        ),
        (
            "SELECT row_number() FROM t",
            SqlState::WRONG_OBJECT_TYPE,
            "window function row_number requires an OVER clause",
            Some(8),
            None,
        ),
        (
            "SELECT a FROM t WHERE rank() OVER () = 1",
            SqlState::WINDOWING_ERROR,
            "window functions are not allowed in WHERE",
            Some(23),
            None,
        ),
        (
            "SELECT DISTINCT a FROM t ORDER BY b",
            SqlState::INVALID_COLUMN_REFERENCE,
            "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
            Some(35),
            None,
        ),
        (
            "SELECT a FROM t LIMIT a",
            SqlState::INVALID_COLUMN_REFERENCE,
            "argument of LIMIT must not contain variables",
            Some(23),
            None,
        ),
        (
            "SELECT count(*) FROM t FOR UPDATE",
            SqlState::FEATURE_NOT_SUPPORTED,
            "FOR UPDATE is not allowed with aggregate functions",
            None,
            None,
        ),
    ]);
}

#[test]
fn modifications() {
    let rewrite = Some("You will need to rewrite or cast the expression.");
    check(&[
        (
            "INSERT INTO t (nosuch) VALUES (1)",
            SqlState::UNDEFINED_COLUMN,
            "column \"nosuch\" of relation \"t\" does not exist",
            Some(16),
            None,
        ),
        (
            "INSERT INTO t VALUES (1, 2, 'x', 4, 5)",
            SqlState::SYNTAX_ERROR,
            "INSERT has more expressions than target columns",
            Some(37),
            None,
        ),
        (
            "INSERT INTO t (id, a) VALUES (1)",
            SqlState::SYNTAX_ERROR,
            "INSERT has more target columns than expressions",
            Some(20),
            None,
        ),
        (
            "INSERT INTO t VALUES (true)",
            SqlState::DATATYPE_MISMATCH,
            "column \"id\" is of type integer but expression is of type boolean",
            Some(23),
            rewrite,
        ),
        ("UPDATE t SET a = 1, a = 2", SqlState::SYNTAX_ERROR, "multiple assignments to same column \"a\"", None, None),
        (
            "INSERT INTO t (id) VALUES (1) ON CONFLICT (a) DO NOTHING",
            SqlState::INVALID_COLUMN_REFERENCE,
            "there is no unique or exclusion constraint matching the ON CONFLICT specification",
            None,
            None,
        ),
        (
            "DELETE FROM grouped",
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot delete from view \"grouped\"",
            None,
            Some(
                "To enable deleting from the view, provide an INSTEAD OF DELETE trigger or an unconditional ON DELETE DO INSTEAD rule.",
            ),
        ),
        (
            "UPDATE positive SET double = 1",
            SqlState::FEATURE_NOT_SUPPORTED,
            "cannot update column \"double\" of view \"positive\"",
            None,
            None,
        ),
        (
            "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE",
            SqlState::FEATURE_NOT_SUPPORTED,
            "MERGE is not supported yet",
            None,
            None,
        ),
    ]);
}

#[test]
fn recursion_is_bounded() {
    let sql = format!("SELECT {}", vec!["1"; 1000].join(" + "));
    assert!(bind_text(&sql).is_ok());
    let nested = format!("SELECT {}1{}", "(SELECT ".repeat(300), ")".repeat(300));
    assert!(bind_text(&nested).is_ok());
}
