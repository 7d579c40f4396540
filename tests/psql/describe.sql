-- psql's backslash commands: the same answers as from PostgreSQL 15.
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE app.customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email varchar(200) NOT NULL UNIQUE,
    name text DEFAULT 'nobody'::text,
    mood app.mood DEFAULT 'ok',
    credit numeric(10,2) DEFAULT 0.00 NOT NULL CHECK (credit >= 0),
    tags text[],
    joined timestamptz DEFAULT now()
);
CREATE TABLE orders (
    id serial PRIMARY KEY,
    customer bigint NOT NULL,
    placed date,
    note char(3),
    CONSTRAINT once UNIQUE (customer, placed)
);
CREATE INDEX orders_placed ON orders (placed DESC NULLS LAST, lower(note)) WHERE placed IS NOT NULL;
CREATE VIEW recent AS SELECT id, customer FROM orders WHERE placed > '2026-01-01';
CREATE SEQUENCE ticket START 100 INCREMENT 5;
COMMENT ON TABLE orders IS 'what was bought';
\d
\d orders
\d+ orders
\d app.customers
\d recent
\d ticket
\d orders_placed
\dt
\dt app.*
\dt+ nothing
\di
\dv
\ds
\dn
\dT app.*
\df
\df pg_catalog.abs
\dp orders
\du postgres
\d missing
\dt *.customers
\encoding
