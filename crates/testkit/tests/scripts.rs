//! Runs the SQL scripts of `tests/slt`, each in a database of its own; those of `tests/slt/pg` on PostgreSQL too.

use std::path::Path;

use heliosdb_nano::EmbeddedDatabase;
use sqllogictest::Runner;
use testkit::scripts::{Judge, Ours, scripts_in};

fn scripts(below: &str) -> Vec<std::path::PathBuf> {
    let found = scripts_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(below));
    assert!(!found.is_empty(), "the scripts are missing");
    found
}

#[test]
fn scripts_give_the_answers_written_in_them() {
    let mut failures = Vec::new();
    for script in scripts("slt") {
        let records = sqllogictest::parse_file::<sqllogictest::DefaultColumnType>(&script).unwrap();
        let database = EmbeddedDatabase::new_in_memory().unwrap();
        let mut runner = Runner::new(|| async { Ours::new(&database) });
        // Record by record, so that one failure does not hide the next.
        for record in records {
            if let Err(error) = runner.run(record) {
                failures.push(error.display(false).to_string());
            }
        }
    }
    assert!(failures.is_empty(), "{} records failed:\n{}", failures.len(), failures.join("\n\n"));
}

/// Only where TESTKIT_POSTGRES names a server: that the scripts are right.
#[test]
fn postgresql_agrees_with_the_scripts() {
    let Ok(parameters) = std::env::var("TESTKIT_POSTGRES") else { return };
    for script in scripts("slt/pg") {
        Judge::connect(&parameters).unwrap().recreate("testkit").unwrap();
        let connection = format!("{parameters} dbname=testkit");
        let mut runner = Runner::new(|| async { Ok(Judge::connect(&connection)?) });
        runner.run_file(&script).unwrap_or_else(|error| panic!("{}", error.display(false)));
    }
}
