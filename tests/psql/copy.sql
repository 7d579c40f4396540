-- COPY FROM STDIN: escapes, quotes, markers, and where an error is.
\set SHOW_CONTEXT errors
CREATE TABLE copied (a text, b varchar(5), c char(3), d int);
COPY copied FROM STDIN;
a\tb\\	\x41\102	z	1
\N	\N	\N	\N
line\
end	x	y	2
\.
SELECT * FROM copied;
TRUNCATE copied;
COPY copied FROM STDIN (FORMAT csv);
"a,""b""
c",x"y,z"w,q,1
,"",,
\.
SELECT * FROM copied;
TRUNCATE copied;
COPY copied FROM STDIN (FORMAT csv, ESCAPE '\', NULL 'none', FORCE_NULL (a), FORCE_NOT_NULL (b));
"none",none,none,3
"a\"b\\c\d",x,y,4
\.
SELECT * FROM copied;
TRUNCATE copied;
COPY copied FROM STDIN;
a	b
\.
COPY copied FROM STDIN;
a	toolong	c
\.
COPY copied FROM STDIN;
a	b	c	1	2
\.
COPY copied FROM STDIN;
a\303	b	c	1
\.
COPY copied FROM STDIN;
a	b	c	x
\.
COPY copied FROM STDIN (FORMAT csv);
a,b,c,1
"two
lines",b,c,2
a,b,c,x
\.
COPY copied FROM STDIN (FORMAT csv);
a,b,c,1
"never closed,b,c,2
\.
SELECT count(*) FROM copied;
BEGIN;
CREATE TABLE keyed (id int PRIMARY KEY);
INSERT INTO keyed SELECT generate_series(1, 100);
COMMIT;
BEGIN;
INSERT INTO keyed SELECT generate_series(101, 300);
-- More than a few rows at once, one of which the transaction has added before.
INSERT INTO keyed SELECT generate_series(300, 500);
ROLLBACK;
SELECT count(*) FROM keyed;
DROP TABLE copied, keyed;
