//! The memory of the process as a whole, whoever holds it: what its allocator has given out, and what the system counts as resident.

use std::sync::{
    LazyLock, Weak,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
use std::time::Instant;

use parking_lot::Mutex;

/// What the process comes to hold by running besides its heap: the rest of its program.
const LATER_RESIDENT: usize = 6 * 1024 * 1024;

/// What can be forgotten and made again.
pub(crate) trait Cache: Send + Sync {
    fn forget(&self);
}

/// Looks at the process, not more often than is worth it.
pub(super) struct ProcessMemory {
    started: Instant,
    /// Resident beside the heap when the limit was first set.
    outside: AtomicUsize,
    /// So much resident is near the limit.
    near: AtomicUsize,
    /// Resident memory when last looked at; the heap at that time, and when that was, in milliseconds since the start.
    resident: AtomicUsize,
    heap_then: AtomicUsize,
    /// What has been asked for since: it may come to lie in room that was allocated before.
    asked: AtomicUsize,
    looked_at_ms: AtomicU64,
    /// When caches were last emptied, and freed memory last given back.
    emptied_at_ms: AtomicU64,
    collected_at_ms: AtomicU64,
    caches: Mutex<Vec<Weak<dyn Cache>>>,
}

impl std::fmt::Debug for ProcessMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessMemory").field("outside", &self.outside).field("resident", &self.resident).finish_non_exhaustive()
    }
}

impl Default for ProcessMemory {
    fn default() -> ProcessMemory {
        ProcessMemory {
            started: Instant::now(),
            outside: AtomicUsize::new(0),
            near: AtomicUsize::new(usize::MAX),
            resident: AtomicUsize::new(0),
            heap_then: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            looked_at_ms: AtomicU64::new(0),
            emptied_at_ms: AtomicU64::new(0),
            collected_at_ms: AtomicU64::new(0),
            caches: Mutex::default(),
        }
    }
}

impl ProcessMemory {
    /// What the process holds before its first session, and a little more that comes by running.
    pub(super) fn begin(&self) -> usize {
        let resident = resident_bytes().unwrap_or(0) + 2 * LATER_RESIDENT;
        self.outside.store(resident.saturating_sub(heap::allocated() + LATER_RESIDENT), Ordering::Relaxed);
        resident
    }

    /// From three quarters of the limit on, of what is allocated or of what is resident, the allocator keeps no large blocks in hand.
    pub(super) fn set_limit(&self, limit: usize) {
        let near = limit - limit / 4;
        self.near.store(if limit == 0 { usize::MAX } else { near }, Ordering::Relaxed);
        let allocated = near.saturating_sub(self.outside.load(Ordering::Relaxed));
        heap::be_sparing_from(if limit == 0 { 0 } else { allocated.max(1) });
        self.look();
    }

    pub(super) fn watch_cache(&self, cache: Weak<dyn Cache>) {
        let mut caches = self.caches.lock();
        caches.retain(|known| known.strong_count() > 0);
        caches.push(cache);
    }

    /// Whether so much more may be allocated: what is counted, and what is resident with what the allocator keeps between and behind its
    /// blocks, must stay within the limit. What is held for a moment without asking has the tenth beyond.
    pub(super) fn has_room(&self, limit: usize, bytes: usize, small: bool) -> bool {
        if limit == 0 {
            return true;
        }
        // Those who hold little may go on to their ends in what is left beyond.
        let slack = if small { limit / super::SMALL_PART } else { 0 };
        self.has_counted_room(limit + slack, bytes) && self.has_resident_room(limit + slack, bytes)
    }

    fn has_counted_room(&self, limit: usize, bytes: usize) -> bool {
        let expected = || heap::allocated().saturating_add(self.outside.load(Ordering::Relaxed)).saturating_add(bytes);
        if expected() <= limit {
            return true;
        }
        const EMPTIED_EVERY_MS: u64 = 500;
        if !self.is_due(&self.emptied_at_ms, EMPTIED_EVERY_MS) {
            return false;
        }
        let caches: Vec<_> = self.caches.lock().iter().filter_map(Weak::upgrade).collect();
        caches.iter().for_each(|cache| cache.forget());
        expected() <= limit
    }

    fn has_resident_room(&self, limit: usize, bytes: usize) -> bool {
        const COLLECTED_EVERY_MS: u64 = 5;
        if self.resident(limit, bytes).saturating_add(bytes) <= limit {
            return true;
        }
        if !self.is_due(&self.collected_at_ms, COLLECTED_EVERY_MS) {
            return false;
        }
        heap::give_back_freed();
        self.look().saturating_add(bytes) <= limit
    }

    /// Resident memory: looked at anew when the heap has changed by much or it has been long.
    fn resident(&self, limit: usize, bytes: usize) -> usize {
        const LARGE: usize = 512 * 1024;
        /// What is freed and kept by the allocator grows by megabytes in this time, and no count tells.
        const STALE_MS: u64 = 2;
        let moved = heap::allocated().abs_diff(self.heap_then.load(Ordering::Relaxed));
        let asked = self.asked.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let stale = || self.now_ms().saturating_sub(self.looked_at_ms.load(Ordering::Relaxed)) >= STALE_MS;
        if bytes >= LARGE || moved.max(asked) >= LARGE.max(limit / 256) || stale() {
            return self.look();
        }
        self.resident.load(Ordering::Relaxed)
    }

    fn look(&self) -> usize {
        let resident = resident_bytes().unwrap_or(0);
        self.resident.store(resident, Ordering::Relaxed);
        heap::be_sparing_now(resident >= self.near.load(Ordering::Relaxed));
        self.heap_then.store(heap::allocated(), Ordering::Relaxed);
        self.asked.store(0, Ordering::Relaxed);
        self.looked_at_ms.store(self.now_ms(), Ordering::Relaxed);
        resident
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// Whether it is so long since the last time; then this is the last time.
    fn is_due(&self, last_ms: &AtomicU64, every_ms: u64) -> bool {
        let (now_ms, last) = (self.now_ms(), last_ms.load(Ordering::Relaxed));
        (last == 0 || now_ms.saturating_sub(last) >= every_ms)
            && last_ms.compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Resident memory of the process, where the system tells.
pub fn resident_bytes() -> Option<usize> {
    let pages: usize = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(*PAGE_BYTES)
}

/// The size of a page: what the kernel says in the auxiliary vector, pairs of words of which number 6 is the page size.
static PAGE_BYTES: LazyLock<usize> = LazyLock::new(|| {
    const PAGE_SIZE: usize = 6;
    const WORD: usize = size_of::<usize>();
    let vector = std::fs::read("/proc/self/auxv").unwrap_or_default();
    let word = |bytes: &[u8]| bytes.try_into().map_or(0, usize::from_ne_bytes);
    let found = vector.chunks_exact(2 * WORD).find(|pair| word(&pair[..WORD]) == PAGE_SIZE).map(|pair| word(&pair[WORD..]));
    found.filter(|bytes| bytes.is_power_of_two()).unwrap_or(4096)
});

/// Memory that the machine, or the control group the process runs in, has.
pub fn machine_bytes() -> Option<usize> {
    let information = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = information.lines().find(|line| line.starts_with("MemTotal:"))?;
    let total = line.split_whitespace().nth(1)?.parse::<usize>().ok()?.checked_mul(1024)?;
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let group = group.iter().find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<usize>().ok());
    Some(group.map_or(total, |group| group.min(total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_what_the_kernel_says_in_kilobytes() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let said = line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024;
        let read = resident_bytes().unwrap();
        assert!(read.abs_diff(said) < said / 2, "{read} and {said}");
    }

    #[test]
    fn a_process_past_its_limit_grants_nothing_and_empties_its_caches_first() {
        struct Forgets(AtomicUsize);
        impl Cache for Forgets {
            fn forget(&self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let process = ProcessMemory::default();
        let cache = std::sync::Arc::new(Forgets(AtomicUsize::new(0)));
        process.watch_cache(std::sync::Arc::downgrade(&cache) as _);
        let resident = process.begin();
        assert!(process.has_room(0, usize::MAX, false));
        assert!(process.has_room(resident + (1 << 30), 1 << 20, false));
        assert!(!process.has_room(resident + (1 << 30), 2 << 30, false));
        assert!(cache.0.load(Ordering::Relaxed) >= 1);
    }
}
