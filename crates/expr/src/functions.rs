//! The library of functions, by `pg_proc.prosrc`.
