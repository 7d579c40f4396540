//! Golden plans: columns are `#id` in order of allocation; a projection prints only what it computes anew.

use super::*;

fn check(cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        assert_eq!(plan_of(sql), expected.trim(), "{sql}");
    }
}

#[test]
fn reading() {
    check(&[
        (
            "SELECT a + 1 FROM t WHERE id = $1",
            r##"
Project #4=int4pl(#1, Int4(1))
  Filter int4eq(#0, $1:23)
    Scan t [#0=id, #1=a]"##,
        ),
        (
            "SELECT b, sum(a) FROM t GROUP BY b HAVING count(*) > 1 ORDER BY 2 DESC LIMIT 3",
            r##"
Limit Int8(3) offset -
  Sort #4 desc
    Project #2, #4
      Filter int84gt(#5, Int4(1))
        Aggregate by [#2] [#4=sum(#1), #5=count()]
          Scan t [#1=a, #2=b]"##,
        ),
        (
            "SELECT id, b, a + 1 FROM t GROUP BY id",
            r##"
Project #0, #2, #4=int4pl(#1, Int4(1))
  Aggregate by [#0, #2, #1] []
    Scan t [#0=id, #1=a, #2=b]"##,
        ),
        (
            "SELECT * FROM t LEFT JOIN s USING (id) WHERE y = 'q'",
            r##"
Project #0, #1, #2, #3, #5, #6, #7
  Filter texteq(#7::25[-1], Text("q"))
    LeftJoin on int4eq(#0, #4)
      Scan t [#0=id, #1=a, #2=b, #3=c]
      Scan s [#4=id, #5=t_id, #6=x, #7=y]"##,
        ),
        (
            "SELECT (SELECT max(x) FROM s WHERE s.t_id = t.id) FROM t",
            r##"
Project #9=subplan 0(scalar; outer #0)
  Scan t [#0=id]
subplan 0:
  Project #8
    Aggregate by [] [#8=max(#6)]
      Filter int4eq(#5, #0)
        Scan s [#5=t_id, #6=x]"##,
        ),
        (
            "SELECT id FROM t WHERE id IN (SELECT x FROM s)",
            r##"
Project #0
  Filter subplan 0(any #0; outer )
    Scan t [#0=id]
subplan 0:
  Project #6
    Scan s [#6=x]"##,
        ),
        (
            "WITH q AS (SELECT id FROM t) SELECT * FROM q",
            r##"
Project #4
  Project #4=#0
    Project #0
      Scan t [#0=id]"##,
        ),
        (
            "WITH q AS MATERIALIZED (SELECT id FROM t) SELECT * FROM q, q AS r",
            r##"
Project #4, #5
  InnerJoin
    CteScan 0 [#4=#0]
    CteScan 0 [#5=#0]
cte 0 q:
  Project #0
    Scan t [#0=id]"##,
        ),
        (
            "WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r",
            r##"
Project #4
  CteScan 0 [#4=#3]
cte 0 r:
  RecursiveUnion 0 [#3] all
    Values [#0] (Int4(1))
    Project #2=int4pl(#1, Int4(1))
      Filter int4lt(#1, Int4(3))
        WorkTable 0 [#1]"##,
        ),
        (
            "SELECT generate_series(1, a) FROM t ORDER BY 1",
            r##"
Sort #4
  Project #4
    ProjectSet #4=generate_series(Int4(1), #1)
      Scan t [#1=a]"##,
        ),
        (
            "SELECT a, rank() OVER (PARTITION BY b ORDER BY a DESC) FROM t",
            r##"
Project #1, #4
  Window #4=rank() over (by #2 order #1 desc)
    Scan t [#1=a, #2=b]"##,
        ),
        (
            "SELECT a, b, grouping(a) FROM t GROUP BY ROLLUP (a, b)",
            r##"
Project #5, #6, #4
  Aggregate by [#5=#1, #6=#2] [] sets [[0, 1], [0], []]
    Scan t [#1=a, #2=b]"##,
        ),
        (
            "SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b DESC",
            r##"
Distinct #1
  Sort #1, #2 desc
    Project #1, #2
      Scan t [#1=a, #2=b]"##,
        ),
        (
            "SELECT id FROM t UNION SELECT x FROM s ORDER BY 1",
            r##"
Sort #9
  Project #9
    Union [#9] of [#8] [#6]
      Project #8=#0::20[-1]
        Project #0
          Scan t [#0=id]
      Project #6
        Scan s [#6=x]"##,
        ),
        (
            "SELECT x.q FROM t, LATERAL (SELECT t.a AS q) x",
            r##"
Project #4
  InnerJoin lateral
    Scan t [#1=a]
    Project #4=#1
      Values [] ()"##,
        ),
        (
            "SELECT id FROM t ORDER BY a FOR UPDATE SKIP LOCKED",
            r##"
Project #0
  LockRows #4 Update SkipLocked
    Sort #1
      Project #0, #1, #4
        Scan t [#0=id, #1=a] row #4"##,
        ),
        (
            "SELECT double FROM positive",
            r##"
Project #4
  Project #0, #4=int4mul(#1, Int4(2))
    Filter int4gt(#1, Int4(0))
      Scan t [#0=id, #1=a]"##,
        ),
        (
            "SELECT t FROM t",
            r##"
Project #4=row(#0, #1, #2, #3)
  Scan t [#0=id, #1=a, #2=b, #3=c]"##,
        ),
        (
            "SELECT count(*) FILTER (WHERE a > 0), count(DISTINCT b) FROM t",
            r##"
Project #4, #5
  Aggregate by [] [#4=count() filter int4gt(#1, Int4(0)), #5=count(distinct #2)]
    Scan t [#1=a, #2=b]"##,
        ),
    ]);
}

#[test]
fn writing() {
    check(&[
        (
            "INSERT INTO t (id, b) VALUES ($1, 'x') RETURNING id, a",
            r##"
Insert t ($1:23, Int4(7), Text("x"), Null) returning #4, #5
  Values [] ()"##,
        ),
        (
            "INSERT INTO t VALUES (1, DEFAULT), (2, 5)",
            r##"
Insert t (#4, #5, Null, Null)
  Values [#4, #5] (Int4(1), Int4(7)), (Int4(2), Int4(5))"##,
        ),
        (
            "INSERT INTO t (id, a) VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET a = excluded.a + t.a WHERE t.b IS NULL",
            r##"
Insert t (Int4(1), Int4(2), Null, Null) on conflict [Oid(20010)] set 1:=int4pl(#13, #9) where isnull(#10)
  Values [] ()"##,
        ),
        (
            "UPDATE t SET a = a + 1, b = s.y FROM s WHERE s.t_id = t.id RETURNING t.a, s.x",
            r##"
Update t row #8 1:=int4pl(#1, Int4(1)), 2:=#7::25[-1] returning #10, #6
  Filter int4eq(#5, #0)
    InnerJoin
      Scan t [#0=id, #1=a, #2=b, #3=c] row #8
      Scan s [#5=t_id, #6=x, #7=y]"##,
        ),
        (
            "DELETE FROM t USING s WHERE s.id = t.id RETURNING *",
            r##"
Delete t row #8 returning #0, #1, #2, #3, #4, #5, #6, #7
  Filter int4eq(#4, #0)
    InnerJoin
      Scan t [#0=id, #1=a, #2=b, #3=c] row #8
      Scan s [#4=id, #5=t_id, #6=x, #7=y]"##,
        ),
        (
            "UPDATE positive SET id = 1 WHERE double > 2",
            r##"
Update t row #4 0:=Int4(1)
  Filter and(int4gt(#1, Int4(0)), int4gt(int4mul(#1, Int4(2)), Int4(2)))
    Scan t [#0=id, #1=a, #2=b, #3=c] row #4"##,
        ),
        (
            "INSERT INTO t (id, a) SELECT x, '7' FROM s",
            r##"
Insert t (#6::23[-1], #8, Null, Null)
  Project #6, #8=Int4(7)
    Scan s [#6=x]"##,
        ),
    ]);
}

#[test]
fn distinct_sees_the_target_list_only() {
    let plan = plan_of("SELECT DISTINCT a + 1 FROM t GROUP BY a, b");
    assert!(plan.contains("Project #4=int4pl(#1, Int4(1))\n"), "{plan}");
}

#[test]
fn stored_queries_keep_what_their_names_meant() {
    let elsewhere = Names::new(Arc::new(catalog()), Vec::new());
    let elsewhere = Environment::new(Arc::new(elsewhere), Arc::new(FormatSettings::default()));
    for (sql, printed) in [
        ("SELECT * FROM t", "SELECT t.id, t.a, t.b, t.c FROM public.t"),
        (
            "SELECT * FROM t JOIN s USING (id)",
            "SELECT t.id, t.a, t.b, t.c, s.t_id, s.x, s.y FROM (public.t JOIN public.s USING (id))",
        ),
        (
            "WITH t AS (SELECT 1 AS q) SELECT * FROM t, s",
            "WITH t AS (SELECT 1 AS q) SELECT t.q, s.id, s.t_id, s.x, s.y FROM t, public.s",
        ),
        ("SELECT nextval('s'::regclass)", "SELECT nextval('public.s'::regclass) AS nextval"),
        ("SELECT NULL::t", "SELECT NULL::public.t AS t"),
    ] {
        let statement = parse(sql).expect(sql).remove(0);
        let stored = store_query(&statement.node, &environment()).expect(sql);
        let analysed = analyse_view(&stored, &elsewhere).expect(sql);
        let text = deparse::query(&analysed, None, &elsewhere.names, &elsewhere.format, Style::PLAIN);
        assert_eq!(text, printed);
        let again = parse(&text).expect(&text).remove(0);
        bind(&again.node, &elsewhere).expect(&text);
    }
}

#[test]
fn parameters_take_the_types_of_their_uses() {
    let bound = bind_text("SELECT $1 || 'x', $2 FROM t WHERE c > $3 AND id = ANY ($4) LIMIT $5").expect("valid");
    let types: Vec<Oid> = bound.parameters.iter().map(|ty| ty.oid).collect();
    assert_eq!(types, [Oid::TEXT, Oid::TEXT, Oid::NUMERIC, Oid::INT4_ARRAY, Oid::INT8]);
}
