//! What transactions of a history read and wrote, and the anomalies in it: Adya's phenomena, found as cycles of dependencies, as Elle does.
//!
//! Every transaction appends numbers that are its alone to lists, and reads lists. A list tells its own history: whose appends came before,
//! in what order, and which of them a reader had not seen.
//!
//! ```text
//! ww  one's append is followed by the other's          wr  the other read a list that ends with one's append
//! rw  one read a list that the other appended to next  cycle of ww: G0, with wr: G1c, with one rw: G-single, with more: G2
//! ```
//!
//! [`register`] does the same for registers, whose versions' order has to be inferred.
//!
//! **Does not know** how the history came about: over the wire or within a simulation.

use std::collections::{HashMap, HashSet};

#[path = "history/register.rs"]
pub mod register;

/// The isolation level that a history's transactions ran at, as far as it promises something of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// No G0, G1a, G1b, G1c.
    ReadCommitted,
    /// And no G-single: snapshot isolation.
    Snapshot,
    /// And no G2.
    Serializable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Committed,
    Aborted,
    /// The connection was lost while it committed.
    Unknown,
}

#[derive(Clone, Debug)]
pub enum Operation {
    Read { key: u32, list: Vec<u32> },
    Append { key: u32, element: u32 },
}

#[derive(Clone, Debug)]
pub struct Recorded {
    pub operations: Vec<Operation>,
    pub end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// Two reads of one list of which neither begins with the other, or an append that was committed and is not there.
    Incompatible {
        key: u32,
    },
    /// A transaction does not see its own appends.
    Internal {
        transaction: usize,
    },
    /// Read of an aborted append (G1a), of one that its own transaction added to (G1b).
    AbortedRead {
        transaction: usize,
    },
    IntermediateRead {
        transaction: usize,
    },
    /// Two committed transactions replaced the same version of a register, which both had read.
    LostUpdate {
        key: u32,
    },
    /// A version of a register comes before itself.
    CyclicVersions,
    WriteCycle,
    InformationCycle,
    SingleAntiDependencyCycle,
    AntiDependencyCycle,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dependency {
    Write,
    Read,
    Anti,
}

/// The first anomaly that the promise rules out. `finals` holds each list as it was at the end.
pub fn find_anomaly(transactions: &[Recorded], finals: &HashMap<u32, Vec<u32>>, promise: Promise) -> Option<Anomaly> {
    let appends = Appends::of(transactions);
    appends.check_lists(transactions, finals).or_else(|| {
        let edges = dependencies(transactions, finals, &appends);
        find_cycle(transactions.len(), &edges, promise)
    })
}

/// Who appended what.
struct Appends {
    /// The element's transaction, and whether it is the transaction's last one of its list.
    by_element: HashMap<(u32, u32), (usize, bool)>,
}

impl Appends {
    fn of(transactions: &[Recorded]) -> Appends {
        let mut by_element = HashMap::new();
        for (number, transaction) in transactions.iter().enumerate() {
            let mut last: HashMap<u32, u32> = HashMap::new();
            for operation in &transaction.operations {
                if let Operation::Append { key, element } = *operation {
                    if let Some(earlier) = last.insert(key, element) {
                        by_element.insert((key, earlier), (number, false));
                    }
                    by_element.insert((key, element), (number, true));
                }
            }
        }
        Appends { by_element }
    }

    fn writer(&self, key: u32, element: u32) -> Option<usize> {
        self.by_element.get(&(key, element)).map(|(writer, _)| *writer)
    }

    fn check_lists(&self, transactions: &[Recorded], finals: &HashMap<u32, Vec<u32>>) -> Option<Anomaly> {
        for (number, transaction) in transactions.iter().enumerate() {
            if let Some(anomaly) = self.check_transaction(number, transaction, transactions, finals) {
                return Some(anomaly);
            }
        }
        // What was committed is there, once; what was aborted is not.
        let mut there = HashSet::new();
        for (&key, list) in finals {
            for &element in list {
                let writer = self.writer(key, element);
                if !there.insert((key, element)) || writer.is_none_or(|writer| transactions[writer].end == End::Aborted) {
                    return Some(Anomaly::Incompatible { key });
                }
            }
        }
        let lost = self
            .by_element
            .iter()
            .find(|(element, (writer, _))| transactions[*writer].end == End::Committed && !there.contains(*element));
        lost.map(|((key, _), _)| Anomaly::Incompatible { key: *key })
    }

    fn check_transaction(
        &self,
        number: usize,
        transaction: &Recorded,
        transactions: &[Recorded],
        finals: &HashMap<u32, Vec<u32>>,
    ) -> Option<Anomaly> {
        let mut own: HashMap<u32, Vec<u32>> = HashMap::new();
        for operation in &transaction.operations {
            let (key, list) = match operation {
                Operation::Append { key, element } => {
                    own.entry(*key).or_default().push(*element);
                    continue;
                }
                Operation::Read { key, list } => (key, list),
            };
            let mine = own.get(key).map_or(&[][..], Vec::as_slice);
            if !list.ends_with(mine) {
                return Some(Anomaly::Internal { transaction: number });
            }
            let others = &list[..list.len() - mine.len()];
            let end = finals.get(key).map_or(&[][..], Vec::as_slice);
            let aborted =
                |element: &u32| self.writer(*key, *element).is_none_or(|writer| transactions[writer].end == End::Aborted);
            if others.iter().any(aborted) {
                return Some(Anomaly::AbortedRead { transaction: number });
            }
            if !end.starts_with(others) {
                return Some(Anomaly::Incompatible { key: *key });
            }
            let is_intermediate = |element: &u32| {
                self.by_element.get(&(*key, *element)).is_some_and(|(writer, is_last)| *writer != number && !is_last)
            };
            if others.last().is_some_and(is_intermediate) {
                return Some(Anomaly::IntermediateRead { transaction: number });
            }
        }
        None
    }
}

/// Between different transactions that may have committed.
fn dependencies(transactions: &[Recorded], finals: &HashMap<u32, Vec<u32>>, appends: &Appends) -> Vec<Vec<(usize, Dependency)>> {
    let mut edges: Vec<Vec<(usize, Dependency)>> = vec![Vec::new(); transactions.len()];
    let mut edge = |from, to, kind| add_edge(&mut edges, from, to, kind);
    for (&key, list) in finals {
        for pair in list.windows(2) {
            edge(appends.writer(key, pair[0]), appends.writer(key, pair[1]), Dependency::Write);
        }
    }
    for (number, transaction) in transactions.iter().enumerate().filter(|(_, transaction)| transaction.end != End::Aborted) {
        for operation in &transaction.operations {
            let Operation::Read { key, list } = operation else { continue };
            // The own appends at its end are no others' business.
            let others = list.iter().take_while(|element| appends.writer(*key, **element) != Some(number)).count();
            let seen = others.checked_sub(1).map(|last| list[last]);
            edge(seen.and_then(|element| appends.writer(*key, element)), Some(number), Dependency::Read);
            let end = finals.get(key).map_or(&[][..], Vec::as_slice);
            edge(Some(number), end.get(others).and_then(|next| appends.writer(*key, *next)), Dependency::Anti);
        }
    }
    edges
}

fn add_edge(edges: &mut [Vec<(usize, Dependency)>], from: Option<usize>, to: Option<usize>, kind: Dependency) {
    if let (Some(from), Some(to)) = (from, to)
        && from != to
        && !edges[from].contains(&(to, kind))
    {
        edges[from].push((to, kind));
    }
}

fn find_cycle(count: usize, edges: &[Vec<(usize, Dependency)>], promise: Promise) -> Option<Anomaly> {
    if is_cyclic(count, edges, &|kind| kind == Dependency::Write) {
        return Some(Anomaly::WriteCycle);
    }
    if is_cyclic(count, edges, &|kind| kind != Dependency::Anti) {
        return Some(Anomaly::InformationCycle);
    }
    if promise != Promise::ReadCommitted {
        for (from, outgoing) in edges.iter().enumerate() {
            for (to, kind) in outgoing {
                if *kind == Dependency::Anti && reaches(count, edges, *to, from) {
                    return Some(Anomaly::SingleAntiDependencyCycle);
                }
            }
        }
    }
    (promise == Promise::Serializable && is_cyclic(count, edges, &|_| true)).then_some(Anomaly::AntiDependencyCycle)
}

/// Whether the edges of these kinds form a cycle: what is left after taking away, again and again, whom nothing leads to.
fn is_cyclic(count: usize, edges: &[Vec<(usize, Dependency)>], counts: &dyn Fn(Dependency) -> bool) -> bool {
    let mut incoming = vec![0usize; count];
    let targets = |from: usize| edges[from].iter().filter(|(_, kind)| counts(*kind)).map(|(to, _)| *to);
    (0..count).flat_map(targets).for_each(|to| incoming[to] += 1);
    let mut free: Vec<usize> = (0..count).filter(|&node| incoming[node] == 0).collect();
    let mut left = count;
    while let Some(node) = free.pop() {
        left -= 1;
        for to in targets(node) {
            incoming[to] -= 1;
            if incoming[to] == 0 {
                free.push(to);
            }
        }
    }
    left > 0
}

/// Whether write and read dependencies lead from one to the other.
fn reaches(count: usize, edges: &[Vec<(usize, Dependency)>], from: usize, to: usize) -> bool {
    let mut visited = vec![false; count];
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        if node == to {
            return true;
        }
        for (next, kind) in &edges[node] {
            if *kind != Dependency::Anti && !std::mem::replace(&mut visited[*next], true) {
                open.push(*next);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(operations: &[Operation]) -> Recorded {
        Recorded { operations: operations.to_vec(), end: End::Committed }
    }

    fn read(key: u32, list: &[u32]) -> Operation {
        Operation::Read { key, list: list.to_vec() }
    }

    fn append(key: u32, element: u32) -> Operation {
        Operation::Append { key, element }
    }

    #[test]
    fn each_anomaly_is_told_from_the_others() {
        let finals = |lists: &[(u32, &[u32])]| lists.iter().map(|(key, list)| (*key, list.to_vec())).collect::<HashMap<_, _>>();
        let find = |history: &[Recorded], lists: &[(u32, &[u32])], promise| find_anomaly(history, &finals(lists), promise);
        let both: &[(u32, &[u32])] = &[(1, &[10, 20]), (2, &[21, 11])];
        let writers = [committed(&[append(1, 10), append(2, 11)]), committed(&[append(1, 20), append(2, 21)])];
        assert_eq!(find(&writers, both, Promise::ReadCommitted), Some(Anomaly::WriteCycle));
        let skew = [committed(&[read(2, &[]), append(1, 10)]), committed(&[read(1, &[]), append(2, 20)])];
        let lists: &[(u32, &[u32])] = &[(1, &[10]), (2, &[20])];
        assert_eq!(find(&skew, lists, Promise::Snapshot), None);
        assert_eq!(find(&skew, lists, Promise::Serializable), Some(Anomaly::AntiDependencyCycle));
        let torn = [committed(&[append(1, 10), append(2, 20)]), committed(&[read(1, &[]), read(2, &[20])])];
        assert_eq!(find(&torn, lists, Promise::ReadCommitted), None);
        assert_eq!(find(&torn, lists, Promise::Snapshot), Some(Anomaly::SingleAntiDependencyCycle));
        let flow = [committed(&[append(1, 10), read(2, &[20])]), committed(&[append(2, 20), read(1, &[10])])];
        assert_eq!(find(&flow, lists, Promise::ReadCommitted), Some(Anomaly::InformationCycle));
        let mut aborted = torn.clone();
        aborted[0].end = End::Aborted;
        assert_eq!(find(&aborted, &[], Promise::ReadCommitted), Some(Anomaly::AbortedRead { transaction: 1 }));
        let halves = [committed(&[append(1, 10), append(1, 11)]), committed(&[read(1, &[10])])];
        assert_eq!(find(&halves, &[(1, &[10, 11])], Promise::ReadCommitted), Some(Anomaly::IntermediateRead { transaction: 1 }));
        let lost = [committed(&[read(1, &[]), append(1, 10)]), committed(&[read(1, &[]), append(1, 20)])];
        assert_eq!(find(&lost, &[(1, &[20])], Promise::ReadCommitted), Some(Anomaly::Incompatible { key: 1 }));
        let blind = [committed(&[append(1, 10), read(1, &[])])];
        assert_eq!(find(&blind, &[(1, &[10])], Promise::ReadCommitted), Some(Anomaly::Internal { transaction: 0 }));
    }
}
