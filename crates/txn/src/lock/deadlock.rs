//! Finds cycles of processes that wait for each other, when a wait begins.
//!
//! A cycle comes into being only when somebody begins to wait, so the search starts from the new request and looks for a way back to its
//! process. Two kinds of edges lead on: to those who hold the lock in the way, and to those ahead in the queue. A cycle through the
//! second kind is no fate: letting the one behind go first may dissolve it, as PostgreSQL does.

use std::sync::Arc;

use hashbrown::HashSet;
use types::{Error, SqlState};

use super::{LockTable, Owner, tag::Tag, wait::Waiter};
use crate::lock::LockTarget;

/// `waiter` waits for `blocker`, who is ahead of it in the queue when `ahead` is given.
#[derive(Clone)]
struct Edge {
    waiter: Arc<Waiter>,
    blocker: Owner,
    ahead: Option<Arc<Waiter>>,
}

/// More rearrangements than this are not tried.
const MAX_REARRANGEMENTS: usize = 8;

impl LockTable {
    /// Searches for a cycle through the request that was just queued, and takes the request back when there is one that no other order of
    /// the queues dissolves.
    ///
    /// Errors: 40P01, the request being in no queue any more.
    pub(super) fn break_deadlock(&self, start: &Arc<Waiter>) -> Result<(), Error> {
        let _one_at_a_time = self.detection.lock();
        let Err(error) = self.dissolve_cycle(start) else { return Ok(()) };
        // It leaves before the next search begins, which would find the same cycle and another victim. Granted meanwhile: then there was
        // no deadlock after all.
        if self.leave_queue(start, error.clone()) { Err(error) } else { Ok(()) }
    }

    fn dissolve_cycle(&self, start: &Arc<Waiter>) -> Result<(), Error> {
        for _ in 0..MAX_REARRANGEMENTS {
            let Some(cycle) = self.find_cycle(start) else { return Ok(()) };
            // The shards are looked at one after the other; a true cycle is still there when looked at again.
            if self.find_cycle(start).is_none() {
                return Ok(());
            }
            // Of those who could go first, whoever is last on the way back to the newest request has waited before it.
            let Some((behind, ahead)) = cycle.iter().rev().find_map(|edge| Some((&edge.waiter, edge.ahead.as_ref()?))) else {
                return Err(deadlock_detected(&cycle));
            };
            self.change(behind.tag, |lock| lock.move_before(behind, ahead));
            if self.find_cycle(ahead).is_some() {
                return Err(deadlock_detected(&cycle));
            }
        }
        self.find_cycle(start).map_or(Ok(()), |cycle| Err(deadlock_detected(&cycle)))
    }

    /// The edges of a cycle from this request back to its process.
    fn find_cycle(&self, start: &Arc<Waiter>) -> Option<Vec<Edge>> {
        let mut visited: HashSet<i32> = HashSet::new();
        // Each entry: an edge, and the place in `edges` of the edge that led to its waiter.
        let mut edges: Vec<(Edge, Option<usize>)> = Vec::new();
        self.add_edges(start, None, start, &mut edges);
        let mut next = 0;
        while next < edges.len() {
            let edge = &edges[next].0;
            if edge.blocker.pid == start.owner.pid {
                return Some(path_to(&edges, next));
            }
            // Who is ahead in a queue waits for nothing that the search of that queue has not met, see `add_edges`.
            if edge.ahead.is_none()
                && visited.insert(edge.blocker.pid)
                && let Some(waiter) = self.waiting_of(edge.blocker.pid)
            {
                self.add_edges(&waiter, Some(next), start, &mut edges);
            }
            next += 1;
        }
        None
    }

    /// All edges out of a request, and those out of the requests ahead that it waits for, transitively, in one pass over the queue.
    fn add_edges(&self, waiter: &Arc<Waiter>, from: Option<usize>, start: &Arc<Waiter>, edges: &mut Vec<(Edge, Option<usize>)>) {
        self.inspect(waiter.tag, |lock| {
            let queue: Vec<&Arc<Waiter>> = lock.queue().collect();
            let Some(place) = queue.iter().position(|other| Arc::ptr_eq(other, waiter)) else { return };
            // Requests waited for, each with the edge that led to it.
            let mut reached: Vec<(&Arc<Waiter>, Option<usize>)> = vec![(queue[place], from)];
            let mut modes_reached = crate::lock::mode::ModeSet::of(waiter.mode);
            for &ahead in queue[..place].iter().rev() {
                if !modes_reached.conflicts_with(ahead.mode) {
                    continue;
                }
                let blocked = reached.iter().find(|(other, _)| other.mode.conflicts_with(ahead.mode)).copied();
                let Some((behind, led)) = blocked else { continue };
                edges.push((Edge { waiter: Arc::clone(behind), blocker: ahead.owner, ahead: Some(Arc::clone(ahead)) }, led));
                let led_ahead = Some(edges.len() - 1);
                if lock.blocking_holders(ahead).any(|holder| holder.owner == start.owner) {
                    edges.push((Edge { waiter: Arc::clone(ahead), blocker: start.owner, ahead: None }, led_ahead));
                }
                // Requests of one mode wait for the same holders, themselves apart: one of each mode stands for all.
                if !modes_reached.contains(ahead.mode) {
                    reached.push((ahead, led_ahead));
                    modes_reached.insert(ahead.mode);
                }
            }
            for (request, led) in reached {
                for holder in lock.blocking_holders(request) {
                    edges.push((Edge { waiter: Arc::clone(request), blocker: holder.owner, ahead: None }, led));
                }
            }
        });
    }
}

fn path_to(edges: &[(Edge, Option<usize>)], last: usize) -> Vec<Edge> {
    let mut path = Vec::new();
    let mut at = Some(last);
    while let Some(position) = at {
        let (edge, led) = &edges[position];
        path.push(edge.clone());
        at = *led;
    }
    path.reverse();
    path
}

fn deadlock_detected(cycle: &[Edge]) -> Error {
    let lines = cycle.iter().map(|edge| {
        let (pid, blocker) = (edge.waiter.owner.pid, edge.blocker.pid);
        format!("Process {pid} waits for {}; blocked by process {blocker}.", described(edge.waiter.tag, edge))
    });
    Error::new(SqlState::T_R_DEADLOCK_DETECTED, "deadlock detected")
        .detail(lines.collect::<Vec<_>>().join("\n"))
        .hint("See server log for query details.")
}

/// The lock in PostgreSQL's words, where waiting for a row or a key is waiting for the end of the transaction that has it.
fn described(tag: Tag, edge: &Edge) -> String {
    let mode = edge.waiter.mode.name();
    match tag.target() {
        LockTarget::Row(..) | LockTarget::Key(_) | LockTarget::Name(_) => match edge.blocker.transaction() {
            Some(transaction) => format!("ShareLock on transaction {}", transaction.0),
            None => format!("ShareLock on session {}", edge.blocker.pid),
        },
        LockTarget::Relation(relation) => format!("{mode} on relation {relation} of database {}", edge.waiter.owner.database),
        LockTarget::Advisory { high, low, two_keys } => {
            format!("{mode} on advisory lock [{},{high},{low},{}]", edge.waiter.owner.database, if two_keys { 2 } else { 1 })
        }
        LockTarget::Transaction(transaction) => format!("ShareLock on transaction {}", transaction.0),
    }
}
