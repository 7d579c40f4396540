"""What databases and roles grant new connections: stored settings, limits. Runs against PostgreSQL too."""
import unittest

import psycopg

from connections import connect3 as connect


class Databases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.admin = connect(autocommit=True)
        cls.admin.execute("DROP DATABASE IF EXISTS client_db")
        cls.admin.execute("DROP ROLE IF EXISTS client_role")
        cls.admin.execute("CREATE ROLE client_role LOGIN")
        cls.admin.execute("CREATE DATABASE client_db")

    @classmethod
    def tearDownClass(cls):
        cls.admin.execute("DROP DATABASE client_db")
        cls.admin.execute("DROP ROLE client_role")
        cls.admin.close()

    def test_stored_settings_from_the_weakest_to_the_strongest(self):
        def starts_with():
            with connect(dbname="client_db", user="client_role") as db:
                return db.execute("SHOW work_mem").fetchone()[0]

        for scope, value in [
            ("ROLE ALL", "5MB"), ("DATABASE client_db", "6MB"), ("ROLE client_role", "7MB"),
            ("ROLE client_role IN DATABASE client_db", "8MB"),
        ]:
            self.admin.execute(f"ALTER {scope} SET work_mem TO '{value}'")
            self.assertEqual(starts_with(), value)
        self.admin.execute("ALTER ROLE ALL RESET work_mem")

    def test_connection_limit_and_refusal(self):
        self.admin.execute("ALTER DATABASE client_db CONNECTION LIMIT 1")
        with connect(dbname="client_db", user="client_role"):
            with self.assertRaisesRegex(psycopg.OperationalError, 'too many connections for database "client_db"'):
                connect(dbname="client_db", user="client_role")
            connect(dbname="client_db").close()
        self.admin.execute("ALTER DATABASE client_db CONNECTION LIMIT -1 ALLOW_CONNECTIONS false")
        with self.assertRaisesRegex(psycopg.OperationalError, 'database "client_db" is not currently accepting connections'):
            connect(dbname="client_db")
        with self.assertRaisesRegex(psycopg.errors.InvalidParameterValue, "cannot disallow connections for current database"):
            self.admin.execute(f'ALTER DATABASE "{self.admin.info.dbname}" ALLOW_CONNECTIONS false')
        self.admin.execute("ALTER DATABASE client_db ALLOW_CONNECTIONS true")


if __name__ == "__main__":
    unittest.main()
