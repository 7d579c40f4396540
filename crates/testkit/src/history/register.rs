//! Histories of registers: transactions read and write single values, every value written only once.
//!
//! A register does not tell its past as a list does, so the order of its versions is inferred, as Elle does for read-write registers:
//!
//! ```text
//! the initial state   comes before every write
//! writes follow reads a transaction that read 1 and then wrote 2 puts 1 before 2
//! its own writes      come in the order in which it made them
//! the final state     comes after every committed write
//! ```
//!
//! From one version before another follow the dependencies of their writers, and of those who read the earlier one.

use std::collections::HashMap;

use super::{Anomaly, Dependency, End, Promise, add_edge, find_cycle};

#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// None is the initial value.
    Read {
        key: u32,
        value: Option<u32>,
    },
    Write {
        key: u32,
        value: u32,
    },
}

#[derive(Clone, Debug)]
pub struct Accesses {
    pub accesses: Vec<Access>,
    pub end: End,
}

/// A version of a register: a written value, or the initial one.
type Version = (u32, Option<u32>);

/// The first anomaly that the promise rules out. `finals` holds each register as it was at the end.
pub fn find_anomaly(history: &[Accesses], finals: &HashMap<u32, Option<u32>>, promise: Promise) -> Option<Anomaly> {
    let writes = Writes::of(history);
    for (number, transaction) in history.iter().enumerate() {
        if let Some(anomaly) = writes.check_reads(number, transaction, history) {
            return Some(anomaly);
        }
    }
    for (&key, &value) in finals {
        let writer = value.map(|value| writes.by_value.get(&(key, value)));
        if writer.is_some_and(|writer| writer.is_none_or(|(writer, is_last)| history[*writer].end == End::Aborted || !is_last)) {
            return Some(Anomaly::Incompatible { key });
        }
    }
    if promise != Promise::ReadCommitted
        && let Some(key) = lost_update(history)
    {
        return Some(Anomaly::LostUpdate { key });
    }
    let order = version_order(history, finals);
    if order.keys().any(|version| leads_back(&order, *version)) {
        return Some(Anomaly::CyclicVersions);
    }
    find_cycle(history.len(), &dependencies(history, &order, &writes), promise)
}

/// Who wrote what.
struct Writes {
    /// The value's transaction, and whether it is the transaction's last one of its register.
    by_value: HashMap<(u32, u32), (usize, bool)>,
}

impl Writes {
    fn of(history: &[Accesses]) -> Writes {
        let mut by_value = HashMap::new();
        for (number, transaction) in history.iter().enumerate() {
            let mut last: HashMap<u32, u32> = HashMap::new();
            for access in &transaction.accesses {
                if let Access::Write { key, value } = *access {
                    if let Some(earlier) = last.insert(key, value) {
                        by_value.insert((key, earlier), (number, false));
                    }
                    by_value.insert((key, value), (number, true));
                }
            }
        }
        Writes { by_value }
    }

    fn writer(&self, (key, value): Version) -> Option<usize> {
        self.by_value.get(&(key, value?)).map(|(writer, _)| *writer)
    }

    /// Every read shows the transaction's own last write, or else what somebody committed.
    fn check_reads(&self, number: usize, transaction: &Accesses, history: &[Accesses]) -> Option<Anomaly> {
        let mut own: HashMap<u32, u32> = HashMap::new();
        for access in &transaction.accesses {
            let (key, value) = match *access {
                Access::Write { key, value } => {
                    own.insert(key, value);
                    continue;
                }
                Access::Read { key, value } => (key, value),
            };
            if let Some(&mine) = own.get(&key) {
                if value != Some(mine) {
                    return Some(Anomaly::Internal { transaction: number });
                }
                continue;
            }
            let Some(value) = value else { continue };
            match self.by_value.get(&(key, value)) {
                Some((writer, _)) if *writer == number => return Some(Anomaly::Internal { transaction: number }),
                Some((writer, is_last)) if history[*writer].end != End::Aborted => {
                    if !is_last {
                        return Some(Anomaly::IntermediateRead { transaction: number });
                    }
                }
                _ => return Some(Anomaly::AbortedRead { transaction: number }),
            }
        }
        None
    }
}

fn may_have_committed(history: &[Accesses]) -> impl Iterator<Item = (usize, &Accesses)> {
    history.iter().enumerate().filter(|(_, transaction)| transaction.end != End::Aborted)
}

/// A register of which two committed transactions replaced the same version, both having read it.
fn lost_update(history: &[Accesses]) -> Option<u32> {
    let mut replaced: HashMap<Version, usize> = HashMap::new();
    for (number, transaction) in may_have_committed(history).filter(|(_, transaction)| transaction.end == End::Committed) {
        let mut read: HashMap<u32, Option<u32>> = HashMap::new();
        for access in &transaction.accesses {
            match *access {
                Access::Read { key, value } => {
                    read.entry(key).or_insert(value);
                }
                Access::Write { key, .. } => {
                    let Some(&value) = read.get(&key) else { continue };
                    if *replaced.entry((key, value)).or_insert(number) != number {
                        return Some(key);
                    }
                }
            }
        }
    }
    None
}

/// For each version, some that come after it.
fn version_order(history: &[Accesses], finals: &HashMap<u32, Option<u32>>) -> HashMap<Version, Vec<Version>> {
    let mut order: HashMap<Version, Vec<Version>> = HashMap::new();
    for (_, transaction) in may_have_committed(history) {
        // What each register held when it was last touched; the first write follows the initial state in any case.
        let mut before: HashMap<u32, Option<u32>> = HashMap::new();
        for access in &transaction.accesses {
            match *access {
                Access::Read { key, value } => {
                    before.insert(key, value);
                }
                Access::Write { key, value } => {
                    let earlier = before.insert(key, Some(value)).flatten();
                    order.entry((key, earlier)).or_default().push((key, Some(value)));
                }
            }
        }
        if transaction.end == End::Committed {
            for (key, value) in before {
                let last = finals.get(&key).copied().flatten();
                if value != last {
                    order.entry((key, value)).or_default().push((key, last));
                }
            }
        }
    }
    order
}

fn leads_back(order: &HashMap<Version, Vec<Version>>, start: Version) -> bool {
    let mut visited = std::collections::HashSet::new();
    let mut open: Vec<Version> = order.get(&start).into_iter().flatten().copied().collect();
    while let Some(version) = open.pop() {
        if version == start {
            return true;
        }
        if visited.insert(version) {
            open.extend(order.get(&version).into_iter().flatten());
        }
    }
    false
}

/// Between different transactions that may have committed.
fn dependencies(history: &[Accesses], order: &HashMap<Version, Vec<Version>>, writes: &Writes) -> Vec<Vec<(usize, Dependency)>> {
    let mut edges = vec![Vec::new(); history.len()];
    for (&earlier, later) in order {
        for &later in later {
            add_edge(&mut edges, writes.writer(earlier), writes.writer(later), Dependency::Write);
        }
    }
    for (number, transaction) in may_have_committed(history) {
        for access in &transaction.accesses {
            let Access::Read { key, value } = *access else { continue };
            add_edge(&mut edges, writes.writer((key, value)), Some(number), Dependency::Read);
            for &later in order.get(&(key, value)).into_iter().flatten() {
                add_edge(&mut edges, Some(number), writes.writer(later), Dependency::Anti);
            }
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(accesses: &[Access]) -> Accesses {
        Accesses { accesses: accesses.to_vec(), end: End::Committed }
    }

    fn read(key: u32, value: u32) -> Access {
        Access::Read { key, value: (value != 0).then_some(value) }
    }

    fn write(key: u32, value: u32) -> Access {
        Access::Write { key, value }
    }

    fn find(history: &[Accesses], finals: &[(u32, u32)], promise: Promise) -> Option<Anomaly> {
        let finals = finals.iter().map(|&(key, value)| (key, (value != 0).then_some(value))).collect();
        find_anomaly(history, &finals, promise)
    }

    #[test]
    fn each_anomaly_is_told_from_the_others() {
        let skew = [committed(&[read(2, 0), write(1, 10)]), committed(&[read(1, 0), write(2, 20)])];
        assert_eq!(find(&skew, &[(1, 10), (2, 20)], Promise::Snapshot), None);
        assert_eq!(find(&skew, &[(1, 10), (2, 20)], Promise::Serializable), Some(Anomaly::AntiDependencyCycle));
        let lost = [committed(&[read(1, 0), write(1, 10)]), committed(&[read(1, 0), write(1, 20)])];
        assert_eq!(find(&lost, &[(1, 20)], Promise::ReadCommitted), None);
        assert_eq!(find(&lost, &[(1, 20)], Promise::Snapshot), Some(Anomaly::LostUpdate { key: 1 }));
        let torn = [committed(&[write(1, 10), write(2, 20)]), committed(&[read(1, 0), read(2, 20)])];
        assert_eq!(find(&torn, &[(1, 10), (2, 20)], Promise::ReadCommitted), None);
        assert_eq!(find(&torn, &[(1, 10), (2, 20)], Promise::Snapshot), Some(Anomaly::SingleAntiDependencyCycle));
        let flow = [committed(&[write(1, 10), read(2, 20)]), committed(&[write(2, 20), read(1, 10)])];
        assert_eq!(find(&flow, &[(1, 10), (2, 20)], Promise::ReadCommitted), Some(Anomaly::InformationCycle));
        let dirty = [committed(&[write(1, 10), write(2, 11)]), committed(&[write(1, 20), write(2, 21)])];
        assert_eq!(find(&dirty, &[(1, 20), (2, 11)], Promise::ReadCommitted), Some(Anomaly::WriteCycle));
        let mut aborted = torn.clone();
        aborted[0].end = End::Aborted;
        assert_eq!(find(&aborted, &[(1, 0), (2, 0)], Promise::ReadCommitted), Some(Anomaly::AbortedRead { transaction: 1 }));
        let halves = [committed(&[write(1, 10), write(1, 11)]), committed(&[read(1, 10)])];
        assert_eq!(find(&halves, &[(1, 11)], Promise::ReadCommitted), Some(Anomaly::IntermediateRead { transaction: 1 }));
        assert_eq!(find(&halves[..1], &[(1, 10)], Promise::ReadCommitted), Some(Anomaly::Incompatible { key: 1 }));
        let blind = [committed(&[write(1, 10), read(1, 0)])];
        assert_eq!(find(&blind, &[(1, 10)], Promise::ReadCommitted), Some(Anomaly::Internal { transaction: 0 }));
        let turned = [committed(&[read(1, 20), write(1, 10)]), committed(&[read(1, 10), write(1, 20)])];
        assert_eq!(find(&turned, &[(1, 20)], Promise::ReadCommitted), Some(Anomaly::CyclicVersions));
    }

    #[test]
    fn the_order_of_versions_is_traced_through_reads() {
        // 0 -> 10 -> 20: who read 10 comes before the writer of 20, whose other write he has seen.
        let history = [
            committed(&[read(1, 0), write(1, 10)]),
            committed(&[read(1, 10), write(1, 20), write(2, 21)]),
            committed(&[read(1, 10), read(2, 21)]),
        ];
        assert_eq!(find(&history, &[(1, 20), (2, 21)], Promise::ReadCommitted), None);
        assert_eq!(find(&history, &[(1, 20), (2, 21)], Promise::Snapshot), Some(Anomaly::SingleAntiDependencyCycle));
    }
}
