//! Roles: they belong to the server, so that those that are there already are only brought up to date.

use ::types::{Result, SqlState};

use super::{Reader, Section, literal, quote};

impl Reader<'_> {
    pub(super) fn cluster(&mut self) -> Result<()> {
        let columns = "rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, \
             rolconnlimit, rolvaliduntil";
        let of = |table: &str, password: &str| {
            format!("SELECT {columns}, {password} FROM pg_catalog.{table} WHERE oid >= 16384 ORDER BY rolname")
        };
        // Passwords are for administrators; others see roles without them.
        self.link.execute("SAVEPOINT heliosdb_dump_roles")?;
        let roles = match self.query(&of("pg_authid", "rolpassword")) {
            Err(error) if error.sqlstate() == SqlState::INSUFFICIENT_PRIVILEGE => {
                self.link.execute("ROLLBACK TO SAVEPOINT heliosdb_dump_roles")?;
                self.query(&of("pg_roles", "NULL::text"))?
            }
            other => other?,
        };
        self.link.execute("RELEASE SAVEPOINT heliosdb_dump_roles")?;
        let names: Vec<String> = roles.iter().map(|role| quote(&role.text(0))).collect();
        for name in &names {
            self.add(Section::Cluster, "ROLE", name, None, format!("CREATE ROLE {name}"));
        }
        for (role, name) in roles.iter().zip(&names) {
            let words = ["SUPERUSER", "INHERIT", "CREATEROLE", "CREATEDB", "LOGIN", "REPLICATION", "BYPASSRLS"];
            let mut sql = format!("ALTER ROLE {name} WITH");
            for (at, word) in words.iter().enumerate() {
                sql.push_str(if role.flag(at + 1) { " " } else { " NO" });
                sql.push_str(word);
            }
            if role.text(8) != "-1" {
                sql.push_str(&format!(" CONNECTION LIMIT {}", role.text(8)));
            }
            if let Some(password) = role.optional(10) {
                sql.push_str(&format!(" PASSWORD {}", literal(&password)));
            }
            if let Some(until) = role.optional(9) {
                sql.push_str(&format!(" VALID UNTIL {}", literal(&until)));
            }
            self.add(Section::Cluster, "ROLE ATTRIBUTES", name, None, sql);
        }
        self.memberships()?;
        self.role_settings()
    }

    fn memberships(&mut self) -> Result<()> {
        let rows = self.query(
            "SELECT r.rolname, m.rolname, a.admin_option FROM pg_catalog.pg_auth_members a
            JOIN pg_catalog.pg_roles r ON r.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
            WHERE m.oid >= 16384 ORDER BY 1, 2",
        )?;
        for row in rows {
            let option = if row.flag(2) { " WITH ADMIN OPTION" } else { "" };
            let sql = format!("GRANT {} TO {}{option}", quote(&row.text(0)), quote(&row.text(1)));
            self.add(Section::Cluster, "ROLE MEMBERSHIP", &row.text(1), None, sql);
        }
        Ok(())
    }

    fn role_settings(&mut self) -> Result<()> {
        let rows = self.query(
            "SELECT r.rolname, pg_catalog.unnest(s.setconfig) AS setting FROM pg_catalog.pg_db_role_setting s
            JOIN pg_catalog.pg_roles r ON r.oid = s.setrole WHERE s.setdatabase = 0 AND r.oid >= 16384 ORDER BY 1, 2",
        )?;
        for row in rows {
            let sql = format!("ALTER ROLE {} SET {}", quote(&row.text(0)), super::access::assignment(&row.text(1)));
            self.add(Section::Cluster, "SETTING", &row.text(1), None, sql);
        }
        Ok(())
    }
}
