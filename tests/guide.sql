-- Every SQL statement printed in the in-memory guide, in its order, with the tables that it takes for granted made first.
-- Runs with psql and ON_ERROR_STOP. Interleaved sessions are in tests/clients; what differs from PostgreSQL is in docs/.

CREATE TABLE accounts (id INT PRIMARY KEY, balance INT);
INSERT INTO accounts VALUES (1, 1000);
CREATE TABLE inventory (product_id INT PRIMARY KEY, quantity INT, reserved INT DEFAULT 0);
INSERT INTO inventory VALUES (123, 10);
CREATE TABLE reservations (id SERIAL PRIMARY KEY, product_id INT, user_id INT, created_at TIMESTAMP);
CREATE TABLE hot_table (id INT PRIMARY KEY, value TEXT);
INSERT INTO hot_table VALUES (1, 'hot');
CREATE TABLE orders (id INT PRIMARY KEY, status TEXT, amount NUMERIC(10,2), created_at TIMESTAMP);
INSERT INTO orders VALUES (1, 'pending', 10.50, NOW()), (2, 'pending', 20.25, NOW()), (3, 'shipped', 5, NOW() - INTERVAL '2 days');
CREATE TABLE huge_table (a INT);
INSERT INTO huge_table SELECT n FROM generate_series(1, 20000) AS n;
CREATE TABLE target (a INT);
CREATE SEQUENCE seq;

-- Data persistence, embedded mode
CREATE TABLE users (id INT, name TEXT);
INSERT INTO users VALUES (1, 'Alice');
DROP TABLE users;
CREATE TABLE users (id INT PRIMARY KEY, name TEXT);
INSERT INTO users VALUES (1, 'Alice');
SELECT * FROM users;

-- Creating user sessions
SELECT * FROM pg_stat_activity;

-- Session monitoring
SELECT pid, usename, state, query_start, query
FROM pg_stat_activity
WHERE state != 'idle';

SELECT usename, COUNT(*) as session_count
FROM pg_stat_activity
GROUP BY usename;

SELECT
    pid,
    usename,
    pg_session_memory_usage(pid) as memory_bytes,
    xact_start as transaction_start
FROM pg_stat_activity;

-- Isolation levels
BEGIN;
SELECT balance FROM accounts WHERE id = 1;
COMMIT;
BEGIN;
UPDATE accounts SET balance = 1200 WHERE id = 1;
COMMIT;
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
BEGIN;
SELECT balance FROM accounts WHERE id = 1;
COMMIT;
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
BEGIN;
SELECT balance FROM accounts WHERE id = 1;
UPDATE accounts SET balance = balance - 100 WHERE id = 1;
COMMIT;
BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE;
COMMIT;
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ;
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED;

-- Monitoring resource usage
SELECT
    usename,
    COUNT(*) as connections,
    SUM(pg_session_memory_usage(pid)) as total_memory_bytes
FROM pg_stat_activity
GROUP BY usename;

SELECT
    pid,
    usename,
    state,
    pg_session_memory_usage(pid) / 1024 / 1024 as memory_mb
FROM pg_stat_activity
WHERE pg_session_memory_usage(pid) > 1073741824;

-- Data durability
SELECT pg_stat_get_dirty_bytes() > 0 as has_unsaved_changes;

-- Transaction management
BEGIN;
UPDATE inventory SET quantity = quantity - 1 WHERE product_id = 123;
COMMIT;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
BEGIN;
SELECT * FROM hot_table WHERE id = 1 FOR UPDATE;
COMMIT;
UPDATE orders SET status = 'shipped'
WHERE id IN (SELECT id FROM orders WHERE status = 'pending' LIMIT 1000);

-- Session hygiene
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE state = 'idle in transaction'
  AND xact_start < NOW() - INTERVAL '5 minutes';
SELECT COUNT(*) FROM pg_stat_activity;

-- Scenario 1: session-based web application
CREATE TABLE sessions (
    session_id UUID PRIMARY KEY,
    user_id INT NOT NULL,
    data JSONB NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX idx_sessions_expires ON sessions(expires_at);
INSERT INTO sessions VALUES (
    gen_random_uuid(),
    1234,
    '{"cart": ["item1", "item2"]}',
    NOW(),
    NOW() + INTERVAL '30 minutes'
);
DELETE FROM sessions WHERE expires_at < NOW();

-- Scenario 2: real-time analytics cache
CREATE TABLE metrics_cache (
    metric_key TEXT PRIMARY KEY,
    metric_value NUMERIC,
    dimensions JSONB,
    last_updated TIMESTAMP
);
INSERT INTO metrics_cache
SELECT
    'daily_revenue' as metric_key,
    SUM(amount) as metric_value,
    jsonb_build_object('date', CURRENT_DATE) as dimensions,
    NOW() as last_updated
FROM orders
WHERE created_at >= CURRENT_DATE
ON CONFLICT (metric_key) DO UPDATE
SET metric_value = EXCLUDED.metric_value,
    last_updated = EXCLUDED.last_updated;
INSERT INTO metrics_cache
SELECT
    'daily_revenue' as metric_key,
    SUM(amount) as metric_value,
    jsonb_build_object('date', CURRENT_DATE) as dimensions,
    NOW() as last_updated
FROM orders
WHERE created_at >= CURRENT_DATE
ON CONFLICT (metric_key) DO UPDATE
SET metric_value = EXCLUDED.metric_value,
    last_updated = EXCLUDED.last_updated;
SELECT metric_value FROM metrics_cache WHERE metric_key = 'daily_revenue';

-- Scenario 3: concurrent inventory management
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
BEGIN;
SELECT quantity FROM inventory WHERE product_id = 123;
UPDATE inventory
SET quantity = quantity - 1,
    reserved = reserved + 1
WHERE product_id = 123 AND quantity > 0;
INSERT INTO reservations (product_id, user_id, created_at)
VALUES (123, 456, NOW());
COMMIT;

-- Scenario 5: batch data processing pipeline
CREATE TABLE staging_data (
    id INT,
    raw_json JSONB
);
INSERT INTO staging_data VALUES (nextval('seq'), '{"valid": true, "field1": "a", "field2": "1"}');
INSERT INTO staging_data VALUES (nextval('seq'), '{"valid": false}');
CREATE TABLE processed_data AS
SELECT
    id,
    raw_json->>'field1' as field1,
    (raw_json->>'field2')::INT as field2
FROM staging_data
WHERE raw_json->>'valid' = 'true';
SELECT * FROM processed_data;

-- Troubleshooting
INSERT INTO target SELECT * FROM huge_table LIMIT 10000;
BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE;
COMMIT;
BEGIN;
UPDATE inventory SET quantity = quantity - 1 WHERE product_id = 123;
COMMIT;
SELECT * FROM pg_locks WHERE NOT granted;
SELECT
    blocking.pid AS blocking_pid,
    blocked.pid AS blocked_pid,
    blocking.query AS blocking_query
FROM pg_stat_activity blocking
JOIN pg_locks blocked_locks ON blocking.pid = blocked_locks.pid
JOIN pg_stat_activity blocked ON blocked_locks.pid = blocked.pid
WHERE NOT blocked_locks.granted;
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE usename = 'alice' AND state = 'idle';
SELECT COUNT(*), state FROM pg_stat_activity GROUP BY state;
SELECT pid, usename, state, NOW() - xact_start as duration
FROM pg_stat_activity
WHERE xact_start IS NOT NULL
ORDER BY duration DESC;
SELECT locktype, COUNT(*) FROM pg_locks GROUP BY locktype;
EXPLAIN ANALYZE SELECT * FROM orders;

-- What they came to
SELECT CASE WHEN (SELECT quantity FROM inventory) = 7 AND (SELECT balance FROM accounts) = 1100
             AND (SELECT metric_value FROM metrics_cache) = 30.75 AND (SELECT count(*) FROM target) = 10000
             AND (SELECT count(*) FROM processed_data) = 1 AND (SELECT count(*) FROM orders WHERE status = 'pending') = 0
            THEN 0 ELSE 1 / 0 END AS guide_holds;
