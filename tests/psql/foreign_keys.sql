-- Foreign keys: every action, deferral, and the definitions around them; the answers are those of PostgreSQL 15.
create table p(id int primary key, name text, u int unique);
create table c(cid int primary key, pid int references p, x int references p(u) on delete set null on update cascade);
insert into p values (1,'a',10),(2,'b',20),(3,'c',30);
insert into c values (1,1,10),(2,null,20);
insert into c values (3,9,10);
insert into c values (3,1,99);
update c set pid = 7 where cid = 1;
delete from p where id = 1;
update p set id = 11 where id = 1;
update p set u = 21 where u = 20;
select * from c order by cid;
delete from p where id = 2;
select * from c order by cid;
\d p
\d c
create table d(a int, b int, c text, primary key (a,b));
create table e(a int, b int, foreign key (a,b) references d match full on delete cascade on update cascade);
insert into d values (1,1,'x'),(1,2,'y'),(2,1,'z');
insert into e values (1,1),(null,null),(1,2);
insert into e values (1,null);
insert into e values (5,5);
update d set a = 7 where b = 1;
select * from e order by 1,2;
delete from d where a = 1;
select * from e order by 1,2;
create table tree(id int primary key, parent int references tree on delete cascade);
insert into tree values (1,null),(2,1),(3,2),(4,1),(5,4);
insert into tree values (10,11),(11,null);
insert into tree values (20,21);
delete from tree where id = 1; select * from tree order by id;
create table r(id int primary key); create table s(id int references r on delete restrict on update restrict);
insert into r values (1),(2); insert into s values (1);
delete from r where id = 1; update r set id = 5 where id = 1; delete from r where id = 2;
create table df(id int default 2 references r(id) on delete set default); insert into r values (2); insert into df values (1); delete from s; delete from r where id = 1; select * from df; delete from r;
drop table p; drop table r; drop table p cascade; \d c
alter table d drop constraint d_pkey; alter table d drop column a; alter table d drop constraint d_pkey cascade; 
create table big(id int primary key); create table bc(id int); insert into bc values (1),(2);
alter table bc add foreign key (id) references big;
insert into big values (1);
alter table bc add constraint bcfk foreign key (id) references big not valid; alter table bc validate constraint bcfk; insert into big values (2); alter table bc validate constraint bcfk;
truncate big; truncate big, bc; insert into big values (1); insert into bc values (1); truncate big cascade; select count(*) from bc;
create table bad(id int references nope); create table bad(id text references big); create table bad(id int references big(zz)); create table bad(id int, foreign key (zz) references big);
create table nopk(a int); create table bad(id int references nopk); create table bad(id int references nopk(a)); create table bad(a int, b int, foreign key (a,b) references big); create view vw as select 1 a; create table bad(a int references vw);
create temp table tmp(id int primary key); create table bad(a int references tmp); create temp table bad(a int references big);
create table dp(id int primary key); create table dc(id int references dp deferrable initially deferred, j int constraint jfk references dp deferrable);
begin; insert into dc values (1); insert into dp values (1); commit;
begin; insert into dc values (2); commit;
select * from dc;
begin; insert into dc values (2); set constraints all immediate; rollback;
begin; set constraints jfk deferred; insert into dc values (1,5); insert into dp values (5); set constraints all immediate; commit;
begin; set constraints jfk deferred; delete from dp where id = 5; savepoint a; insert into dc values (null, 77); rollback to a; insert into dp values (5); commit;
begin; set constraints nope deferred; rollback; begin; set constraints bcfk deferred; rollback;
set constraints all deferred;
insert into dc values (33);
begin; insert into dc values (44); delete from dc where id = 44; commit;
alter table dc alter constraint jfk not deferrable; \d dc
create table ac(id int); alter table ac add column fk int references big on delete cascade; \d ac
select conname, contype, confupdtype, confdeltype, confmatchtype, conkey, confkey, confrelid::regclass, pg_get_constraintdef(oid) from pg_constraint where contype = 'f' order by conname;
select constraint_name, unique_constraint_name, match_option, update_rule, delete_rule from information_schema.referential_constraints order by 1;
create table sn(a int, b int, c int, foreign key (a,b) references d2 (a,b) on delete set null (a));
create table d2(a int, b int, primary key(a,b)); create table sn(a int, b int, c int, foreign key (a,b) references d2 (a,b) on delete set null (a)); insert into d2 values (1,2); insert into sn values (1,2,3); delete from d2; select * from sn; \d sn
copy bc from stdin;
1
7
\.
select * from bc;
begin; create table t1(a int primary key); create table t2(a int references t1); insert into t1 values (1); insert into t2 values (1); delete from t2; delete from t1; commit;
create table i8(a bigint references big, b smallint references big); insert into i8 values (1,1); insert into big values (1); insert into i8 values (1,1); delete from big where id = 1;
create table vc(a varchar(5) primary key); create table vt(a text references vc); insert into vc values ('x'); insert into vt values ('x'),('y'); explain (costs off) delete from vc where a = 'x';
create schema s1; create schema s2; create table s1.p(id int primary key); create table s2.c(id int references s1.p); insert into s2.c values (1); drop schema s1; drop schema s1 cascade;
drop table vc, vt; drop table i8, big; drop index big_pkey;
create table lp(id int primary key, v int) ; create table lc(a int references lp on update cascade on delete set null, b int generated always as (a+1) stored, check (a < 100));
insert into lp select g, g from generate_series(1,50) g; insert into lc select g from generate_series(1,50) g; update lp set id = id + 49 where id > 25; select count(*), sum(a), sum(b) from lc; delete from lp where id > 60; select count(*), count(a) from lc; update lp set id = 200 where id = 1;
with x as (delete from lc where a = 2 returning a) delete from lp using x where lp.id = x.a; select count(*) from lp;
with x as (insert into lp values (300, 1) returning id) insert into lc select 300 from x;
alter table lc drop constraint lc_check; with x as (insert into lp values (300, 1) returning id) insert into lc select 300 from x;
insert into lc values (1) on conflict do nothing; alter table lp alter column id type bigint; \d lc
alter table lp alter column id type text;
prepare q(int) as insert into lc values ($1); execute q(3); execute q(999); 
