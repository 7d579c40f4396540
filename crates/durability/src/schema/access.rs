//! Owners, privileges, and the database's settings.

use ::types::{Error, Result};

use super::{Found, Reader, Section, TableName, class, literal, quote};

/// Privilege letters of aclitem.
const PRIVILEGES: &[(char, &str)] = &[
    ('r', "SELECT"),
    ('a', "INSERT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('X', "EXECUTE"),
    ('U', "USAGE"),
    ('C', "CREATE"),
    ('c', "CONNECT"),
    ('T', "TEMPORARY"),
];

/// What PostgreSQL gives the schema public when it makes a database.
const PUBLIC_OWNER: &str = "pg_database_owner";

impl Reader<'_> {
    pub(super) fn access(&mut self) -> Result<()> {
        let objects: Vec<((u32, u32), Found)> = self.found.iter().map(|(address, found)| (*address, found.clone())).collect();
        let mut ordered: Vec<&Found> = objects.iter().map(|(_, found)| found).collect();
        ordered.sort_by(|left, right| (left.word, &left.name).cmp(&(right.word, &right.name)));
        for found in &ordered {
            // An identity column's sequence goes with its table.
            let is_part = found.kind == "SEQUENCE" && found.definition.is_empty();
            let is_untouched = found.word == "SCHEMA" && found.name == "public" && found.owner == PUBLIC_OWNER;
            // A sequence that a column owns has the table's owner, and follows it.
            let follows = found.word == "SEQUENCE" && found.table.is_some();
            if !is_part && !is_untouched && !follows {
                let sql = format!("ALTER {} {} OWNER TO {}", found.word, found.name, quote(&found.owner));
                self.add(Section::AfterRows, "OWNER", &found.name, found.table.clone(), sql);
            }
        }
        for found in &ordered {
            if let Some(acl) = &found.acl {
                self.grants(acl, privilege_word(found), &found.name, None, &found.owner, found.table.clone())?;
            }
        }
        self.column_grants()?;
        self.function_grants()?;
        self.default_privileges()?;
        self.settings()
    }

    fn column_grants(&mut self) -> Result<()> {
        let rows = self.query(
            "SELECT a.attrelid, a.attname, a.attacl FROM pg_catalog.pg_attribute a
            WHERE a.attrelid >= 16384 AND a.attacl IS NOT NULL AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum",
        )?;
        for row in rows {
            let Some(found) = self.found.get(&(class::CLASS, row.oid(0))).cloned() else { continue };
            let column = quote(&row.text(1));
            self.grants(&row.text(2), "TABLE", &found.name, Some(&column), &found.owner, found.table)?;
        }
        Ok(())
    }

    /// Rights on built-in functions that differ from those of a new database.
    fn function_grants(&mut self) -> Result<()> {
        let rows = self.query(
            "SELECT p.oid::pg_catalog.regprocedure, pg_catalog.pg_get_userbyid(p.proowner), p.proacl FROM pg_catalog.pg_proc p
            LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid = p.oid AND i.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass
            WHERE p.oid < 16384 AND p.proacl IS NOT NULL AND p.proacl IS DISTINCT FROM i.initprivs ORDER BY p.oid",
        )?;
        for row in rows {
            let name = format!("pg_catalog.{}", row.text(0));
            self.grants(&row.text(2), "FUNCTION", &name, None, &row.text(1), None)?;
        }
        Ok(())
    }

    /// Takes the default privileges back and grants those that are there.
    fn grants(
        &mut self,
        acl: &str,
        word: &str,
        name: &str,
        column: Option<&str>,
        owner: &str,
        table: Option<TableName>,
    ) -> Result<()> {
        let items = acl_items(acl, name)?;
        let is_initial = word == "SCHEMA" && name == "public" && owner == PUBLIC_OWNER && acl_of_new_public(&items);
        if is_initial || (column.is_none() && is_default(&items, word, owner)) {
            return Ok(());
        }
        if column.is_none() {
            for from in ["PUBLIC", &quote(owner)] {
                let sql = format!("REVOKE ALL ON {word} {name} FROM {from}");
                self.add(Section::AfterRows, "ACL", name, table.clone(), sql);
            }
        }
        for item in &items {
            for with_option in [false, true] {
                let words = item.words(with_option, column);
                if !words.is_empty() {
                    let option = if with_option { " WITH GRANT OPTION" } else { "" };
                    let sql = format!("GRANT {words} ON {word} {name} TO {}{option}", item.quoted_grantee());
                    self.add(Section::AfterRows, "ACL", name, table.clone(), sql);
                }
            }
        }
        Ok(())
    }

    /// ALTER DEFAULT PRIVILEGES. Those of a schema add to what an owner gives anyway, others replace it.
    fn default_privileges(&mut self) -> Result<()> {
        let rows = self.query(
            "SELECT pg_catalog.pg_get_userbyid(d.defaclrole), n.nspname, d.defaclobjtype, d.defaclacl FROM pg_catalog.pg_default_acl d
            LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace ORDER BY 1, 2 NULLS FIRST, 3",
        )?;
        for row in rows {
            let owner = quote(&row.text(0));
            let objects = match row.letter(2) {
                'r' => "TABLES",
                'S' => "SEQUENCES",
                'f' => "FUNCTIONS",
                'T' => "TYPES",
                'n' => "SCHEMAS",
                other => return Err(Error::unsupported(format!("dumping default privileges of kind \"{other}\""))),
            };
            let schema = row.optional(1).map(|schema| format!(" IN SCHEMA {}", quote(&schema)));
            let start = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner}{}", schema.as_deref().unwrap_or_default());
            if schema.is_none() {
                for from in ["PUBLIC", &owner] {
                    let sql = format!("{start} REVOKE ALL ON {objects} FROM {from}");
                    self.add(Section::AfterRows, "DEFAULT ACL", objects, None, sql);
                }
            }
            for item in acl_items(&row.text(3), objects)? {
                for with_option in [false, true] {
                    let words = item.words(with_option, None);
                    if !words.is_empty() {
                        let option = if with_option { " WITH GRANT OPTION" } else { "" };
                        let sql = format!("{start} GRANT {words} ON {objects} TO {}{option}", item.quoted_grantee());
                        self.add(Section::AfterRows, "DEFAULT ACL", objects, None, sql);
                    }
                }
            }
        }
        Ok(())
    }

    /// ALTER DATABASE ... SET.
    fn settings(&mut self) -> Result<()> {
        let rows = self.query(
            "SELECT pg_catalog.unnest(s.setconfig) AS setting FROM pg_catalog.pg_db_role_setting s
            JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
            WHERE d.datname = pg_catalog.current_database() AND s.setrole = 0 ORDER BY 1",
        )?;
        for row in rows {
            let setting = row.text(0);
            let sql = format!("ALTER DATABASE :\"DBNAME\" SET {}", assignment(&setting));
            self.add(Section::AfterRows, "SETTING", &setting, None, sql);
        }
        Ok(())
    }
}

/// `name=value` as SET writes it. A list keeps its elements apart.
pub(super) fn assignment(setting: &str) -> String {
    let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
    let is_list = matches!(name, "search_path" | "temp_tablespaces" | "session_preload_libraries" | "local_preload_libraries");
    let value = if is_list { value.to_owned() } else { literal(value) };
    format!("{name} TO {value}")
}

fn privilege_word(found: &Found) -> &'static str {
    match found.word {
        "VIEW" | "MATERIALIZED VIEW" => "TABLE",
        "DOMAIN" => "TYPE",
        other => other,
    }
}

fn acl_of_new_public(items: &[AclItem]) -> bool {
    consists_of(items, &[(PUBLIC_OWNER, "UC"), ("", "U")])
}

/// Whether a list, though written out, says what an object without one has (acldefault).
fn is_default(items: &[AclItem], word: &str, owner: &str) -> bool {
    match word {
        "TABLE" => consists_of(items, &[(owner, "arwdDxt")]),
        "SEQUENCE" => consists_of(items, &[(owner, "rwU")]),
        "SCHEMA" => consists_of(items, &[(owner, "UC")]),
        "TYPE" => consists_of(items, &[(owner, "U"), ("", "U")]),
        "FUNCTION" | "PROCEDURE" => consists_of(items, &[(owner, "X"), ("", "X")]),
        _ => false,
    }
}

/// Whether a list gives these grantees these rights, none to be passed on, and nobody anything else.
fn consists_of(items: &[AclItem], expected: &[(&str, &str)]) -> bool {
    let gives = |item: &AclItem, (grantee, letters): &(&str, &str)| {
        item.grantee == *grantee
            && item.privileges.len() == letters.len()
            && letters.chars().all(|letter| item.privileges.contains(&(letter, false)))
    };
    items.len() == expected.len() && expected.iter().all(|expected| items.iter().any(|item| gives(item, expected)))
}

/// One element of an access control list: `grantee=privileges/grantor`.
#[derive(Debug, PartialEq, Eq)]
struct AclItem {
    /// Empty for PUBLIC.
    grantee: String,
    /// The letter, and whether it may be passed on.
    privileges: Vec<(char, bool)>,
}

/// The elements of an access control list in order of the grantees' names.
fn acl_items(acl: &str, of: &str) -> Result<Vec<AclItem>> {
    let parsed =
        |item: String| AclItem::parse(&item).ok_or_else(|| Error::unsupported(format!("dumping the privilege {item} on {of}")));
    let mut items = array_elements(acl).into_iter().map(parsed).collect::<Result<Vec<_>>>()?;
    items.sort_by(|left, right| left.grantee.cmp(&right.grantee));
    Ok(items)
}

impl AclItem {
    /// The privileges with or without the option to grant them, as GRANT lists them.
    fn words(&self, with_option: bool, column: Option<&str>) -> String {
        let of_column = column.map(|column| format!(" ({column})")).unwrap_or_default();
        let has = |letter: char| self.privileges.contains(&(letter, with_option));
        let words = PRIVILEGES.iter().filter(|(letter, _)| has(*letter)).map(|(_, word)| format!("{word}{of_column}"));
        words.collect::<Vec<_>>().join(", ")
    }

    fn quoted_grantee(&self) -> String {
        if self.grantee.is_empty() { "PUBLIC".to_owned() } else { quote(&self.grantee) }
    }

    fn parse(text: &str) -> Option<AclItem> {
        let (grantee, rest) = if let Some(quoted) = text.strip_prefix('"') {
            let end = quoted.rfind("\"=")?;
            (quoted[..end].replace("\"\"", "\""), &quoted[end + 2..])
        } else {
            let (grantee, rest) = text.split_once('=')?;
            (grantee.to_owned(), rest)
        };
        let (letters, _grantor) = rest.split_once('/')?;
        let mut privileges: Vec<(char, bool)> = Vec::new();
        for letter in letters.chars() {
            match letter {
                '*' => privileges.last_mut()?.1 = true,
                letter if PRIVILEGES.iter().any(|(known, _)| *known == letter) => privileges.push((letter, false)),
                _ => return None,
            }
        }
        Some(AclItem { grantee, privileges })
    }
}

/// The elements of an array's text form.
fn array_elements(text: &str) -> Vec<String> {
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let (mut elements, mut element, mut quoted, mut some) = (Vec::new(), String::new(), false, false);
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        some = true;
        match character {
            '\\' => element.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => elements.push(std::mem::take(&mut element)),
            other => element.push(other),
        }
    }
    if some {
        elements.push(element);
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_lists_are_read() {
        let items = array_elements(r#"{postgres=arwdDxt/postgres,=r/postgres,"\"odd name\"=r*w/postgres"}"#);
        assert_eq!(items.len(), 3);
        let odd = AclItem::parse(&items[2]).unwrap();
        assert_eq!(odd, AclItem { grantee: "odd name".into(), privileges: vec![('r', true), ('w', false)] });
        assert_eq!(AclItem::parse(&items[1]).unwrap().grantee, "");
        assert!(AclItem::parse("a=Z/b").is_none());
        assert!(array_elements("{}").is_empty());
    }

    #[test]
    fn settings_are_assignments() {
        assert_eq!(assignment("work_mem=4MB"), "work_mem TO '4MB'");
        assert_eq!(assignment("search_path=a, \"B\""), "search_path TO a, \"B\"");
    }
}
