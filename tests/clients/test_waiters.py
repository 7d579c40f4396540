"""A session that waits for a lock costs the others nothing: with a long queue at one row, a point query elsewhere and a new connection
take about as long as without."""
import statistics
import time
import unittest

from connections import ClientTest, connect3

WAITERS = 200
ATTEMPTS = 3


def median_ms(count, work):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


class Waiters(ClientTest):
    def setUp(self):
        super().setUp()
        self.db.execute("CREATE TABLE hot (id int PRIMARY KEY, n int)")
        self.db.execute("INSERT INTO hot SELECT id, 0 FROM generate_series(1, 1000) id")

    def measure(self):
        point = median_ms(300, lambda: self.db.execute("SELECT n FROM hot WHERE id = 500").fetchone())
        connection = median_ms(15, lambda: connect3(autocommit=True).close())
        return point, connection

    def queue(self):
        """Sessions that wait for row 1, as many as may connect."""
        room = self.value("SELECT current_setting('max_connections')::int - (SELECT count(*)::int FROM pg_stat_activity) - 10")
        waiting = []
        for _ in range(min(WAITERS, room)):
            db = self.another()
            db.pgconn.send_query(b"UPDATE hot SET n = n + 1 WHERE id = 1")
            db.pgconn.flush()
            waiting.append(db)
        for _ in range(500):
            if self.value("SELECT count(*) FROM pg_locks WHERE NOT granted") >= len(waiting):
                return waiting
            time.sleep(0.01)
        self.fail("they do not wait")

    def test_others_do_not_notice_a_long_queue(self):
        self.measure()
        unloaded = [self.measure() for _ in range(ATTEMPTS)]
        holder = self.another()
        holder.execute("BEGIN")
        holder.execute("UPDATE hot SET n = 0 WHERE id = 1")
        waiting = self.queue()
        loaded = [self.measure() for _ in range(ATTEMPTS)]
        holder.execute("COMMIT")
        for db in waiting:
            result = db.pgconn.get_result()
            self.assertEqual(result.command_status, b"UPDATE 1", result.error_message)
        self.assertEqual(self.value("SELECT n FROM hot WHERE id = 1"), len(waiting), "each of them had its turn")
        for name, before, during in zip(("a point query", "a new connection"), zip(*unloaded), zip(*loaded)):
            # The machine's noise only ever adds.
            self.assertLess(min(during), 2 * min(before), f"{name}, with {len(waiting)} waiting: {before} ms, {during} ms")


if __name__ == "__main__":
    unittest.main()
