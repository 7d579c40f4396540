//! Prints physical plans as PostgreSQL's EXPLAIN does.
