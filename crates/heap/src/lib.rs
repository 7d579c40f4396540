//! The process's allocator: mimalloc, with a count of the bytes that are out.
//!
//! Accounting by statement and session (`engine::memory`) knows whose memory it is, but only what somebody has thought of asking for. The
//! count knows all of it: plans in caches, old versions of rows that snapshots keep, what a function holds while it computes. Together
//! they bound the server. A program that embeds the library keeps its own allocator; then the count stays 0 and nothing is read from it.
//!
//! **Rule**: an allocation costs an addition to a number of the thread's own. What has come together is added to the process's number in
//! steps of [`STEP`], so that [`allocated`] is right within that for each thread.
//!
//! Near a limit the allocator is sparing ([`be_sparing_from`], [`be_sparing_now`]): a large block that is freed, or left for a larger one,
//! gives its pages back at once. mimalloc would keep them for a second in the hope of use, so that a vector of 60 MB that doubles would be
//! resident twice.
//!
//! **Does not know** limits.

use std::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    sync::atomic::{AtomicIsize, Ordering},
};

use libmimalloc_sys::{mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc, mi_zalloc_aligned};

mod sparing;

pub use sparing::{be_sparing_from, be_sparing_now};

/// What a thread keeps to itself at most.
const STEP: isize = 32 * 1024;

static ALLOCATED: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    /// Bytes allocated less bytes freed since the thread last told.
    static UNTOLD: Cell<isize> = const { Cell::new(0) };
    /// Bytes that the thread has told as freed, ever.
    static FREED: Cell<usize> = const { Cell::new(0) };
}

/// To be installed with `#[global_allocator]`.
#[derive(Debug, Default)]
pub struct CountedHeap;

#[inline]
fn count(bytes: isize) {
    // A thread that is ending may have lost the place: its last few frees are told at once.
    let told = UNTOLD.try_with(|untold| {
        let sum = untold.get() + bytes;
        if sum.abs() < STEP {
            untold.set(sum);
            return 0;
        }
        untold.set(0);
        if sum < 0 {
            FREED.set(FREED.get().wrapping_add(sum.unsigned_abs()));
        }
        sum
    });
    let sum = told.unwrap_or(bytes);
    if sum != 0 {
        ALLOCATED.fetch_add(sum, Ordering::Relaxed);
    }
}

/// Whether mimalloc's ordinary blocks are aligned well enough, as nearly all requests are: its functions for other alignments take twice
/// as many instructions.
#[inline]
fn is_natural(size: usize, align: usize) -> bool {
    const WORD: usize = size_of::<usize>();
    align <= WORD || (align <= 2 * WORD && size >= 2 * WORD)
}

/// A block that is not counted.
///
/// # Safety
/// The alignment is a power of two.
#[expect(unsafe_code, reason = "an allocator can be written no other way")]
#[inline]
unsafe fn allocate(size: usize, align: usize) -> *mut u8 {
    // SAFETY: may be called with any size.
    let block = unsafe { if is_natural(size, align) { mi_malloc(size) } else { mi_malloc_aligned(size, align) } };
    block.cast()
}

#[expect(unsafe_code, reason = "an allocator can be written no other way; every call goes on to mimalloc's as it came")]
// SAFETY: the contract is mimalloc's, which is called with what we are called with: blocks of a word's size are aligned to a word and
// larger ones to two, and any block may be resized or freed by any of its functions. Counting allocates nothing and cannot unwind.
unsafe impl GlobalAlloc for CountedHeap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        count(size.cast_signed());
        unsafe { allocate(size, align) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        count(size.cast_signed());
        let block = unsafe { if is_natural(size, align) { mi_zalloc(size) } else { mi_zalloc_aligned(size, align) } };
        block.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        if layout.size() >= sparing::LARGE {
            unsafe { sparing::give_back_pages(block, layout.size()) }
        }
        unsafe { mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let align = layout.align();
        count(new_size.cast_signed() - layout.size().cast_signed());
        if layout.size() >= sparing::LARGE && new_size > layout.size() && sparing::is_tight() {
            return unsafe { sparing::move_to_larger(block, layout, new_size) };
        }
        let block = block.cast();
        let moved = unsafe {
            if is_natural(new_size, align) { mi_realloc(block, new_size) } else { mi_realloc_aligned(block, new_size, align) }
        };
        moved.cast()
    }
}

/// Bytes allocated and not freed, by all threads. 0 when the program has another allocator.
pub fn allocated() -> usize {
    ALLOCATED.load(Ordering::Relaxed).max(0).cast_unsigned()
}

/// Gives back to the system what has been freed and is kept for the allocations to come.
pub fn give_back_freed() {
    if allocated() == 0 {
        return;
    }
    #[expect(unsafe_code, reason = "mimalloc's crate has no safe name for it")]
    {
        unsafe extern "C" {
            fn mi_collect(force: bool);
        }
        // SAFETY: may be called by any thread at any time.
        unsafe { mi_collect(true) }
    }
}

/// Gives back what a thread has freed once it has been quiet for a while: until then it will likely need as much again, and memory that
/// has been given back costs a page fault each 4 kB.
#[derive(Debug, Default)]
pub struct QuietThread {
    /// What the thread had freed when it was last looked at, and when it last gave back.
    looked_at: usize,
    gave_back_at: usize,
}

impl QuietThread {
    /// Not worth asking the allocator.
    const LITTLE: usize = 1 << 20;

    /// To be called by the thread now and then; between two calls is "a while".
    pub fn look(&mut self) {
        let freed = FREED.get();
        let is_quiet = freed.wrapping_sub(self.looked_at) < Self::LITTLE;
        self.looked_at = freed;
        if is_quiet && freed.wrapping_sub(self.gave_back_at) >= Self::LITTLE {
            self.gave_back_at = freed;
            give_back_freed();
        }
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "an allocator is asked as collections ask it")]
mod tests {
    use super::*;

    #[global_allocator]
    static HEAP: CountedHeap = CountedHeap;

    /// What the whole process holds is looked at: a test beside another would be counted in it.
    fn alone() -> std::sync::MutexGuard<'static, ()> {
        static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
        ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    #[cfg(target_os = "linux")]
    fn kilobytes(of: &str) -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with(of)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_quiet_thread_gives_back_what_it_has_freed() {
        let _alone = alone();
        let (before, mut thread) = (kilobytes("VmRSS:"), QuietThread::default());
        let boxes: Vec<_> = (0..40_000).map(|_| Box::new([1_u8; 500])).collect();
        drop(boxes);
        thread.look();
        assert!(kilobytes("VmRSS:") > before + (8 << 10), "kept for the next statement");
        thread.look();
        assert!(kilobytes("VmRSS:") < before + (4 << 10), "{} of {before} kB", kilobytes("VmRSS:"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn near_the_limit_a_vector_that_grows_is_resident_once() {
        let _alone = alone();
        be_sparing_from(1);
        let mut bytes: Vec<u8> = (0..32 << 20).map(|at: usize| at as u8).collect();
        give_back_freed();
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = kilobytes("VmRSS:");
        bytes.reserve_exact(32 << 20);
        assert!(kilobytes("VmHWM:") < before + (8 << 10), "{} of {before} kB", kilobytes("VmHWM:"));
        assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == at as u8));
        drop(bytes);
        assert!(kilobytes("VmRSS:") < before - (24 << 10), "{} of {before} kB", kilobytes("VmRSS:"));
        be_sparing_from(0);
    }

    #[test]
    fn what_is_allocated_is_counted_until_it_is_freed() {
        let _alone = alone();
        let before = allocated();
        let mut bytes = vec![1_u8; 10 << 20];
        assert!(allocated() - before >= 10 << 20);
        bytes.resize(20 << 20, 2);
        assert!(allocated() - before >= 20 << 20);
        std::thread::spawn(move || drop(bytes)).join().unwrap();
        give_back_freed();
        assert!(allocated() < before + (1 << 20), "{} of {before}", allocated());
    }

    #[test]
    fn blocks_are_aligned_as_asked() {
        let _alone = alone();
        for align in [1, 2, 4, 8, 16, 32, 4096] {
            for size in (1..200).chain([1000, 10_000, 100_000, 10_000_000]) {
                let layout = Layout::from_size_align(size, align).unwrap();
                let blocks: Vec<*mut u8> = (0..3).map(|_| unsafe { HEAP.alloc(layout) }).collect();
                for block in blocks {
                    assert_eq!(block.addr() % align, 0, "{layout:?}");
                    let block = unsafe { HEAP.realloc(block, layout, size + 40) };
                    assert_eq!(block.addr() % align, 0, "{layout:?}, resized");
                    unsafe { HEAP.dealloc(block, Layout::from_size_align(size + 40, align).unwrap()) };
                }
            }
        }
    }
}
