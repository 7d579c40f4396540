//! `status`: what a running server says of itself.

use clap::Args;

use crate::{
    connection::{Connection, Linked, target::ConnectionArguments, wire::Wire},
    failure::Failure,
};

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    connection: ConnectionArguments,
}

const QUESTION: &str = "SELECT pg_catalog.version(), \
     pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.now() - pg_catalog.pg_postmaster_start_time()))::bigint, \
     (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity), \
     (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE state = 'active' AND pid <> pg_catalog.pg_backend_pid()), \
     pg_catalog.pg_server_memory_usage(), pg_catalog.pg_server_memory_limit(), \
     pg_catalog.pg_stat_get_dirty_rows()";

impl StatusArguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let target = self.connection.target()?;
        let mut connection = Wire::connect(&target)?;
        let rows = durability::Link::query(&mut Linked(&mut connection), QUESTION)?;
        let answer = rows.first().ok_or_else(|| Failure::operation("the server gave no answer".to_owned()))?;
        print!("{}", shown(&|at| answer.get(at).cloned().flatten().unwrap_or_default(), &connection.describe()));
        Ok(())
    }
}

fn shown(answer: &dyn Fn(usize) -> String, place: &str) -> String {
    let number = |at: usize| answer(at).parse::<u64>().unwrap_or(0);
    let memory = match number(5) {
        0 => bytes(number(4)),
        limit => format!("{} of {}", bytes(number(4)), bytes(limit)),
    };
    let dirty = match number(6) {
        0 => "NO".to_owned(),
        rows => format!("YES ({rows} uncommitted changes)"),
    };
    // The session that asks is not somebody at work.
    let others = number(2).saturating_sub(1);
    format!(
        "{}\n{place}\nUp-time: {}\nSessions: {others} ({} active)\nMemory: {memory}\nDirty state: {dirty}\n",
        answer(0),
        span(number(1)),
        number(3),
    )
}

fn span(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if days > 0 { format!("{days} d {clock}") } else { clock }
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..10_485_760 => format!("{} kB", bytes / 1024),
        _ => format!("{} MB", bytes / (1024 * 1024)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dirty_state_is_told_as_in_the_guide() {
        let answers = ["HeliosDB", "93784", "4", "1", "52428800", "0", "1234"].map(str::to_owned);
        let text = shown(&|at| answers[at].clone(), "here");
        assert!(text.contains("Up-time: 1 d 02:03:04\nSessions: 3 (1 active)\nMemory: 50 MB\n"), "{text}");
        assert!(text.contains("Dirty state: YES (1234 uncommitted changes)\n"), "{text}");
        let clean = shown(&|_| "0".to_owned(), "here");
        assert!(clean.contains("Dirty state: NO\n"), "{clean}");
    }
}
