-- What a session at psql's prompt sees: results, tags, notices, errors with their position, and variables.
\set QUIET off
SELECT 1 AS one, 'two' AS two, NULL AS three, true AS four, 1.50 AS five, ARRAY[1,2] AS six;
CREATE TABLE t (a int PRIMARY KEY, b text);
INSERT INTO t VALUES (1, 'one'), (2, NULL) RETURNING *;
\pset null '(null)'
TABLE t;
\x
TABLE t;
\x
SELECT * FROM t WHERE c = 1;
SELECT 1 +;
INSERT INTO t VALUES (1, 'again');
DROP TABLE IF EXISTS missing;
BEGIN;
SELECT 1/0;
SELECT 1;
ROLLBACK;
COMMIT;
\copy t FROM stdin CSV
3,three
4,"fo""ur"
\.
\copy (SELECT * FROM t ORDER BY a) TO stdout CSV HEADER
COPY t TO STDOUT;
SELECT a, b FROM t ORDER BY a \gdesc
SELECT 'SELECT ' || a FROM t ORDER BY a LIMIT 2 \gexec
SELECT max(a) AS largest FROM t \gset
\echo :largest
PREPARE p(int) AS SELECT b FROM t WHERE a = $1;
EXECUTE p(3);
DEALLOCATE p;
DECLARE c CURSOR FOR SELECT 1;
BEGIN;
DECLARE c CURSOR FOR SELECT a FROM t ORDER BY a;
FETCH 2 FROM c;
MOVE 1 FROM c;
FETCH ALL FROM c;
COMMIT;
\set FETCH_COUNT 2
SELECT a FROM t ORDER BY a;
\set FETCH_COUNT 0
SHOW server_encoding;
SET search_path TO nowhere, public;
SHOW search_path;
RESET search_path;
\set VERBOSITY sqlstate
SELECT 'x'::int;
