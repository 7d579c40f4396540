//! `\h`: the statements there are, and how each is written.

/// A statement's name, then its form on indented lines; an empty line ends it.
const FORMS: &str = include_str!("sql_help.txt");

const WHERE_MORE: &str = "More at https://www.postgresql.org/docs/15/sql-commands.html.\n";

/// The names of all statements, or the forms of those whose names begin so.
pub(super) fn help(asked: &str) -> String {
    let asked = asked.trim().trim_end_matches(';').split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
    let all = || FORMS.split("\n\n").filter_map(|entry| entry.trim_matches('\n').split_once('\n'));
    if asked.is_empty() {
        let names: Vec<&str> = all().map(|(name, _)| name).collect();
        return format!("Available help:\n{}\\h NAME shows how a statement is written.\n", in_columns(&names));
    }
    let is_asked = |name: &str| name == asked || asked == "*";
    let begins = |name: &str| name.starts_with(&asked);
    // CREATE by itself means all of them, SELECT FROM the one that it begins with.
    let mut found: Vec<(&str, &str)> = all().filter(|(name, _)| is_asked(name)).collect();
    if found.is_empty() {
        found = all().filter(|(name, _)| begins(name)).collect();
    }
    if found.is_empty() {
        found = all().filter(|(name, _)| asked.starts_with(&format!("{name} "))).collect();
    }
    if found.is_empty() {
        return format!("No help available for \"{asked}\".\nTry \\h with no arguments to see available help.\n");
    }
    let shown: Vec<String> = found.iter().map(|(name, form)| format!("{name}\n{form}\n\n")).collect();
    format!("{}{WHERE_MORE}", shown.concat())
}

/// Three to a line, down and then across.
fn in_columns(names: &[&str]) -> String {
    let lines = names.len().div_ceil(3);
    let line = |at: usize| {
        let cells: Vec<String> =
            (0..3).filter_map(|column| names.get(at + column * lines)).map(|name| format!("  {name:<32}")).collect();
        format!("{}\n", cells.concat().trim_end())
    };
    (0..lines).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_has_its_form() {
        for entry in FORMS.split("\n\n") {
            let (name, form) = entry.trim_matches('\n').split_once('\n').unwrap_or_else(|| panic!("no form: {entry:?}"));
            assert!(!name.starts_with(' ') && name == name.to_uppercase(), "{name:?}");
            assert!(form.lines().all(|line| line.starts_with("  ")), "{form:?}");
        }
    }

    #[test]
    fn statements_are_found_by_name_and_beginning() {
        assert!(help("create index").contains("CREATE [UNIQUE] INDEX"));
        assert!(help("select 1 from").contains("[FROM"));
        assert!(help("DROP").matches("\n  DROP").count() == 2 && help("DROP").contains("RESTRICT"));
        assert!(help("").contains("CREATE TABLE"));
        assert!(help("conjure").starts_with("No help available"));
    }
}
