//! The notifications of one database: LISTEN, NOTIFY, and the queue between them.
//!
//! A transaction's notifications enter the queue when it commits, in the order of the commits, and stay until every session that listens
//! has read past them. A session reads between its transactions; what it does not listen to it skips.
//!
//! **Invariants.** The queue is bounded: a session that does not read makes commits that notify fail once it is full, as in PostgreSQL,
//! and costs others nothing else. Nobody waits for a reader.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use types::{Error, Result, SqlState};

use crate::session::SessionShared;

/// What the queue holds at most. PostgreSQL's is 8 GB of disk.
const QUEUE_BYTES: usize = 64 << 20;
/// What an entry takes beyond its payload.
const ENTRY_BYTES: usize = 64;
/// Payloads are shorter than this (NOTIFY_PAYLOAD_MAX_LENGTH).
const PAYLOAD_LIMIT: usize = 8000;
/// Channels' names are shorter than this (NAMEDATALEN).
const CHANNEL_LIMIT: usize = 64;
/// A session that fills the queue is named no more often than this.
const WARNING_INTERVAL: Duration = Duration::from_secs(5);

/// A message that a listening session gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The sender's.
    pub pid: i32,
    pub channel: Arc<str>,
    /// Empty when none was given.
    pub payload: Arc<str>,
}

/// LISTEN or UNLISTEN, done at commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListenAction {
    Listen(Arc<str>),
    Unlisten(Arc<str>),
    UnlistenAll,
}

/// What a transaction will do when it commits.
#[derive(Default)]
pub(crate) struct Pending {
    actions: Vec<ListenAction>,
    notifications: Vec<(Arc<str>, Arc<str>)>,
    /// The same, to send each only once.
    known: HashSet<(Arc<str>, Arc<str>)>,
}

/// How much was pending at some moment, such as a savepoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PendingMark {
    actions: usize,
    notifications: usize,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.notifications.is_empty()
    }

    pub(crate) fn add_action(&mut self, action: ListenAction) {
        self.actions.push(action);
    }

    /// Errors: 22023 for a channel or a payload that cannot be.
    pub(crate) fn notify(&mut self, channel: &str, payload: &str) -> Result<()> {
        let refused = |message| Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        match channel.len() {
            0 => return refused("channel name cannot be empty"),
            CHANNEL_LIMIT.. => return refused("channel name too long"),
            _ => {}
        }
        if payload.len() >= PAYLOAD_LIMIT {
            return refused("payload string too long");
        }
        let notification: (Arc<str>, Arc<str>) = (channel.into(), payload.into());
        if self.known.insert(notification.clone()) {
            self.notifications.push(notification);
        }
        Ok(())
    }

    pub(crate) fn mark(&self) -> PendingMark {
        PendingMark { actions: self.actions.len(), notifications: self.notifications.len() }
    }

    /// Forgets what has come since.
    pub(crate) fn roll_back_to(&mut self, mark: PendingMark) {
        self.actions.truncate(mark.actions);
        for notification in self.notifications.drain(mark.notifications.min(self.notifications.len())..) {
            self.known.remove(&notification);
        }
    }

    /// What it takes of the queue.
    fn bytes(&self) -> usize {
        self.notifications.iter().map(|(channel, payload)| entry_bytes(channel, payload)).sum()
    }
}

fn entry_bytes(channel: &str, payload: &str) -> usize {
    ENTRY_BYTES + channel.len() + payload.len()
}

/// What the sessions of a database share.
#[derive(Default)]
pub(crate) struct NotificationQueue {
    /// Held by a transaction that notifies or listens from before its commit to its entry, so that the orders of the two agree.
    commit_order: Mutex<()>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Notification>,
    /// The number of the first entry.
    first: u64,
    bytes: usize,
    listeners: BTreeMap<i32, Listener>,
    warned: Option<Instant>,
}

struct Listener {
    session: Arc<SessionShared>,
    /// In the order of LISTEN.
    channels: Vec<Arc<str>>,
    /// The number of the next entry to read.
    position: u64,
}

impl NotificationQueue {
    /// Commits by means of `commit`; what the transaction has notified enters the queue only if that succeeds.
    ///
    /// Errors: 54000 when the queue is full, and those of `commit`.
    pub(crate) fn commit<T>(
        &self,
        session: &Arc<SessionShared>,
        pending: &Pending,
        commit: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let _order = self.commit_order.lock();
        if let Some(warning) = self.queue.lock().admit(pending.bytes())? {
            session.add_notice(expr::context::NoticeLevel::Warning, warning);
        }
        let committed = commit()?;
        let woken = self.queue.lock().publish(session, pending);
        for session in woken {
            session.notify_of_notifications();
        }
        Ok(committed)
    }

    /// The next notifications of a session, of about as many bytes; empty when there are none.
    pub(crate) fn read(&self, pid: i32, bytes: usize) -> Vec<Notification> {
        self.queue.lock().read(pid, bytes)
    }

    /// The channels a session listens to.
    pub(crate) fn channels(&self, pid: i32) -> Vec<Arc<str>> {
        self.queue.lock().listeners.get(&pid).map(|listener| listener.channels.clone()).unwrap_or_default()
    }

    /// How full the queue is, from 0 to 1.
    pub(crate) fn usage(&self) -> f64 {
        self.queue.lock().bytes as f64 / QUEUE_BYTES as f64
    }

    /// The end of a session.
    pub(crate) fn forget(&self, pid: i32) {
        let mut queue = self.queue.lock();
        if queue.listeners.remove(&pid).is_some() {
            queue.trim();
        }
    }
}

impl Queue {
    /// Whether so many bytes still fit. A queue more than half full is told of, now and then.
    fn admit(&mut self, bytes: usize) -> Result<Option<Error>> {
        if bytes == 0 || self.bytes < QUEUE_BYTES / 2 {
            return Ok(None);
        }
        if self.bytes + bytes > QUEUE_BYTES {
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "too many notifications in the NOTIFY queue"));
        }
        if self.warned.is_some_and(|warned| warned.elapsed() < WARNING_INTERVAL) {
            return Ok(None);
        }
        self.warned = Some(Instant::now());
        let message = format!("NOTIFY queue is {:.0}% full", 100.0 * self.bytes as f64 / QUEUE_BYTES as f64);
        let mut warning = Error::new(SqlState::WARNING, message);
        if let Some((pid, _)) = self.listeners.iter().min_by_key(|(_, listener)| listener.position) {
            warning = warning
                .detail(format!("The server process with PID {pid} is among those with the oldest transactions."))
                .hint("The NOTIFY queue cannot be emptied until that process ends its current transaction.");
        }
        Ok(Some(warning))
    }

    /// Does what a committed transaction asked for; whom it concerns.
    fn publish(&mut self, session: &Arc<SessionShared>, pending: &Pending) -> Vec<Arc<SessionShared>> {
        for action in &pending.actions {
            self.listen(session, action);
        }
        self.trim();
        if self.listeners.is_empty() {
            return Vec::new();
        }
        for (channel, payload) in &pending.notifications {
            self.bytes += entry_bytes(channel, payload);
            self.entries.push_back(Notification { pid: session.pid, channel: channel.clone(), payload: payload.clone() });
        }
        let heard = |listener: &Listener| pending.notifications.iter().any(|(channel, _)| listener.channels.contains(channel));
        let woken = self.listeners.values().filter(|listener| heard(listener)).map(|listener| listener.session.clone()).collect();
        // Who has read everything else passes over what does not concern him.
        let (first_new, end) = (self.end() - pending.notifications.len() as u64, self.end());
        for listener in self.listeners.values_mut().filter(|listener| listener.position == first_new && !heard(listener)) {
            listener.position = end;
        }
        self.trim();
        woken
    }

    fn listen(&mut self, session: &Arc<SessionShared>, action: &ListenAction) {
        let pid = session.pid;
        match action {
            ListenAction::Listen(channel) => {
                let position = self.end();
                let new = || Listener { session: session.clone(), channels: Vec::new(), position };
                let listener = self.listeners.entry(pid).or_insert_with(new);
                if !listener.channels.contains(channel) {
                    listener.channels.push(channel.clone());
                }
            }
            ListenAction::Unlisten(channel) => {
                if let Some(listener) = self.listeners.get_mut(&pid) {
                    listener.channels.retain(|known| known != channel);
                    if listener.channels.is_empty() {
                        self.listeners.remove(&pid);
                    }
                }
            }
            ListenAction::UnlistenAll => drop(self.listeners.remove(&pid)),
        }
    }

    fn read(&mut self, pid: i32, bytes: usize) -> Vec<Notification> {
        let end = self.end();
        let Some(listener) = self.listeners.get_mut(&pid) else { return Vec::new() };
        let mut found = Vec::new();
        let mut taken = 0;
        while listener.position < end && taken < bytes {
            // Trimming goes no further than the slowest reader.
            let entry = &self.entries[(listener.position - self.first) as usize];
            listener.position += 1;
            if listener.channels.contains(&entry.channel) {
                taken += entry_bytes(&entry.channel, &entry.payload);
                found.push(entry.clone());
            }
        }
        self.trim();
        found
    }

    /// The number after the last entry's.
    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Drops what everybody has read.
    fn trim(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        let needed = self.listeners.values().map(|listener| listener.position).min().unwrap_or(self.end());
        while self.first < needed
            && let Some(entry) = self.entries.pop_front()
        {
            self.first += 1;
            self.bytes -= entry_bytes(&entry.channel, &entry.payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cluster, ConnectOptions, DEFAULT_DATABASE, Session};

    fn session(cluster: &Arc<Cluster>) -> Session {
        let options =
            ConnectOptions { user: "postgres".into(), database: Some(DEFAULT_DATABASE.into()), ..ConnectOptions::default() };
        cluster.connect(options).unwrap()
    }

    fn notified(messages: &[(&str, &str)]) -> Pending {
        let mut pending = Pending::default();
        for (channel, payload) in messages {
            pending.notify(channel, payload).unwrap();
        }
        pending
    }

    fn listening(channel: &str) -> Pending {
        let mut pending = Pending::default();
        pending.add_action(ListenAction::Listen(channel.into()));
        pending
    }

    #[test]
    fn duplicates_collapse_and_savepoints_forget() {
        let mut pending = notified(&[("c", "1"), ("d", "1"), ("c", "1")]);
        let mark = pending.mark();
        pending.notify("c", "2").unwrap();
        pending.notify("c", "1").unwrap();
        pending.roll_back_to(mark);
        pending.notify("c", "2").unwrap();
        let sent: Vec<(&str, &str)> = pending.notifications.iter().map(|(channel, payload)| (&**channel, &**payload)).collect();
        assert_eq!(sent, [("c", "1"), ("d", "1"), ("c", "2")]);
    }

    #[test]
    fn a_failed_commit_says_nothing_and_the_slowest_reader_keeps_entries() {
        let cluster = Arc::new(Cluster::new());
        let (sender, quick, slow) = (session(&cluster), session(&cluster), session(&cluster));
        let queue = NotificationQueue::default();
        for listener in [&quick, &slow] {
            queue.commit(listener.shared(), &listening("c"), || Ok(())).unwrap();
        }
        let failed = || Err::<(), Error>(Error::new(SqlState::T_R_SERIALIZATION_FAILURE, ""));
        queue.commit(sender.shared(), &notified(&[("c", "lost")]), failed).unwrap_err();
        queue.commit(sender.shared(), &notified(&[("c", "1"), ("other", "2"), ("c", "3")]), || Ok(())).unwrap();
        let payloads = |pid| queue.read(pid, usize::MAX).iter().map(|found| found.payload.to_string()).collect::<Vec<_>>();
        assert_eq!(payloads(quick.pid()), ["1", "3"]);
        assert!(queue.usage() > 0.0);
        assert_eq!(payloads(slow.pid()), ["1", "3"]);
        assert_eq!(queue.usage(), 0.0);
        assert!(payloads(sender.pid()).is_empty());
    }

    #[test]
    fn a_full_queue_refuses_until_its_reader_leaves() {
        let cluster = Arc::new(Cluster::new());
        let (sender, slow) = (session(&cluster), session(&cluster));
        let queue = NotificationQueue::default();
        queue.commit(slow.shared(), &listening("c"), || Ok(())).unwrap();
        let payload = "x".repeat(PAYLOAD_LIMIT - 1);
        let error = (0..QUEUE_BYTES).find_map(|_| queue.commit(sender.shared(), &notified(&[("c", &payload)]), || Ok(())).err());
        assert_eq!(error.unwrap().message(), "too many notifications in the NOTIFY queue");
        assert!(queue.usage() <= 1.0 && queue.usage() > 0.99);
        let warnings = sender.shared().take_notices();
        assert!(warnings[0].1.message().starts_with("NOTIFY queue is 50% full"), "{warnings:?}");
        queue.forget(slow.pid());
        assert_eq!(queue.usage(), 0.0);
        queue.commit(sender.shared(), &notified(&[("c", &payload)]), || Ok(())).unwrap();
    }
}
