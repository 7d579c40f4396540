#!/usr/bin/env bash
# Writes crates/catalog/data/*.tsv: the facts of PostgreSQL 15's built-in catalogs (signatures, types, operators, casts),
# read from a running PostgreSQL 15 that psql reaches with its usual environment (PGHOST, PGPORT, PGUSER).
# Function bodies and descriptions are left out.
set -euo pipefail
cd "$(dirname "$0")/../crates/catalog/data"
dump() { psql -XAtq -d template1 -c "copy ($2) to stdout" > "$1.tsv"; printf '%-16s %6d rows\n' "$1" "$(wc -l < "$1.tsv")"; }

dump pg_type "select oid, typname, typlen, typbyval, typtype, typcategory, typispreferred, typdelim, typrelid, typsubscript::oid::regproc,
  typelem, typarray, typinput::oid::regproc, typoutput::oid::regproc, typreceive::oid::regproc, typsend::oid::regproc, typmodin::oid::regproc,
  typmodout::oid::regproc, typanalyze::oid::regproc, typalign, typstorage, typcollation
  from pg_type where oid < 10000 order by oid"
dump pg_proc "select p.oid, proname, prolang, procost, prorows, provariadic, prokind, prosecdef, proleakproof, proisstrict, proretset, provolatile,
  proparallel, pronargs, pronargdefaults, prorettype, proargtypes, proallargtypes, proargmodes, proargnames,
  pg_get_expr(proargdefaults, 0), case when prolang = 14 then proname else prosrc end
  from pg_proc p where oid < 16384 and probin is null and pronamespace = 11 order by oid"
dump pg_operator "select oid, oprname, oprkind, oprcanmerge, oprcanhash, oprleft, oprright, oprresult, oprcom, oprnegate, oprcode::oid, oprrest::oid::regproc,
  oprjoin::oid::regproc from pg_operator where oid < 10000 order by oid"
dump pg_cast "select oid, castsource, casttarget, castfunc, castcontext, castmethod from pg_cast where oid < 16384 order by castsource, casttarget"
dump pg_aggregate "select aggfnoid::oid, aggkind, aggnumdirectargs, aggtransfn::oid, aggfinalfn::oid, aggcombinefn::oid, aggserialfn::oid, aggdeserialfn::oid,
  aggmtransfn::oid, aggminvtransfn::oid, aggmfinalfn::oid, aggfinalextra, aggmfinalextra, aggfinalmodify, aggmfinalmodify, aggsortop, aggtranstype,
  aggtransspace, aggmtranstype, aggmtransspace, agginitval, aggminitval from pg_aggregate where aggfnoid::oid < 16384 order by aggfnoid::oid"
dump pg_am "select oid, amname, amhandler::oid::regproc, amtype from pg_am order by oid"
dump pg_opfamily "select oid, opfmethod, opfname from pg_opfamily order by oid"
dump pg_opclass "select oid, opcmethod, opcname, opcfamily, opcintype, opcdefault, opckeytype from pg_opclass order by oid"
dump pg_amop "select oid, amopfamily, amoplefttype, amoprighttype, amopstrategy, amoppurpose, amopopr, amopmethod, amopsortfamily from pg_amop order by oid"
dump pg_amproc "select oid, amprocfamily, amproclefttype, amprocrighttype, amprocnum, amproc::oid from pg_amproc order by oid"
dump pg_range "select rngtypid, rngsubtype, rngmultitypid, rngcollation, rngsubopc, rngcanonical::oid, rngsubdiff::oid from pg_range order by 1"
dump pg_language "select oid, lanname, lanispl, lanpltrusted from pg_language where lanname <> 'plpgsql' order by oid"
dump pg_collation "select oid, collname, collprovider, collisdeterministic, collencoding, collcollate, collctype from pg_collation where oid < 1000 order by oid"
dump system_relations "select c.oid, n.nspname, relname, relkind, reltype, c.relnatts from pg_class c join pg_namespace n on n.oid = relnamespace
  where c.oid < 16384 and relkind in ('r', 'v') order by n.nspname, relname"
dump system_columns "select n.nspname, relname, attnum, attname, atttypid, atttypmod, attnotnull, attcollation from pg_attribute join pg_class c on c.oid = attrelid
  join pg_namespace n on n.oid = relnamespace where c.oid < 16384 and relkind in ('r', 'v') and attnum > 0 order by 1, 2, 3"
dump pg_settings "select name, setting, unit, category, short_desc is null, context, vartype, source, min_val, max_val, enumvals, boot_val from pg_settings
  where category not like 'Customized%' order by name"
dump pg_keywords "select word, catcode, barelabel, catdesc, baredesc from pg_get_keywords() order by word"
dump pg_ts_config "select oid, cfgname, cfgparser from pg_ts_config order by oid"
dump pg_ts_dict "select oid, dictname, dicttemplate, dictinitoption from pg_ts_dict order by oid"
dump pg_ts_parser "select oid, prsname, prsstart::oid, prstoken::oid, prsend::oid, prsheadline::oid, prslextype::oid from pg_ts_parser order by oid"
dump pg_ts_template "select oid, tmplname, tmplinit::oid, tmpllexize::oid from pg_ts_template order by oid"
dump pg_conversion "select oid, conname, pg_encoding_to_char(conforencoding), conforencoding, contoencoding, conproc::oid, condefault from pg_conversion order by oid"
# Domains of information_schema and the row types of system relations beyond pg_type above, with their arrays.
dump system_types "select t.oid, n.nspname, typname, typtype, typcategory, typbasetype, typtypmod, typnotnull, typarray, typrelid, typelem, typcollation
  from pg_type t join pg_namespace n on n.oid = typnamespace where t.oid between 10000 and 16383 and n.nspname <> 'pg_toast' order by 1"
# Functions of information_schema, in pg_proc's columns; their bodies are left out, so the source is the name. 13000 is our number of the schema.
dump information_schema_functions "select oid, proname, prolang, procost, prorows, provariadic, prokind, prosecdef, proleakproof, proisstrict, proretset,
  provolatile, proparallel, pronargs, pronargdefaults, prorettype, proargtypes, proallargtypes, proargmodes, proargnames, null, proname, 13000
  from pg_proc where pronamespace = 'information_schema'::regnamespace order by oid"
