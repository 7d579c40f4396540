//! Large blocks near a limit: their pages go back to the system when they are freed, and one by one while they are moved.
//!
//! **Rule**: away from the limit nothing is different; only blocks of [`LARGE`] and more are ever looked at.

use std::{
    alloc::Layout,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use libmimalloc_sys::mi_free;

/// Smaller blocks are not worth a call of the system.
pub(crate) const LARGE: usize = 1 << 20;

/// So many bytes allocated are near the limit.
static TIGHT_FROM: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Whether what is resident is near the limit, however little of it is allocated.
static TIGHT_NOW: AtomicBool = AtomicBool::new(false);

/// Memory is short, or is not any more, for a reason that the count of allocated bytes does not show: what has been freed and is kept.
pub fn be_sparing_now(is_tight: bool) {
    TIGHT_NOW.store(is_tight, Ordering::Relaxed);
}

/// Memory is short once so many bytes are allocated; 0: it never is.
pub fn be_sparing_from(bytes: usize) {
    TIGHT_FROM.store(if bytes == 0 { usize::MAX } else { bytes }, Ordering::Relaxed);
}

/// Whether memory is short when so many bytes are allocated.
#[inline]
fn is_tight_at(allocated: usize) -> bool {
    TIGHT_NOW.load(Ordering::Relaxed) || allocated >= TIGHT_FROM.load(Ordering::Relaxed)
}

#[inline]
pub(crate) fn is_tight() -> bool {
    is_tight_at(crate::allocated())
}

/// Gives back the pages of a block that is about to be freed, when memory is short.
///
/// # Safety
/// The block is the caller's, has so many bytes, and what it holds is not needed any more.
#[expect(unsafe_code, reason = "an allocator can be written no other way")]
pub(crate) unsafe fn give_back_pages(block: *mut u8, bytes: usize) {
    if is_tight_at(crate::allocated().saturating_add(bytes)) {
        // SAFETY: as the caller promises.
        unsafe { forget_pages(block, bytes) }
    }
}

/// What realloc does for a larger size, with what has been copied given back on the way: the block is never resident twice.
///
/// # Safety
/// That of [`std::alloc::GlobalAlloc::realloc`]; the new size is the larger.
#[expect(unsafe_code, reason = "an allocator can be written no other way")]
pub(crate) unsafe fn move_to_larger(block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
    const PIECE: usize = LARGE;
    // SAFETY: realloc's caller promises that the size fits its alignment; both blocks have the bytes that are copied, and the old one's
    // are read before they are forgotten.
    unsafe {
        let moved = crate::allocate(new_size, layout.align());
        if moved.is_null() {
            return moved;
        }
        for at in (0..layout.size()).step_by(PIECE) {
            let bytes = PIECE.min(layout.size() - at);
            std::ptr::copy_nonoverlapping(block.add(at), moved.add(at), bytes);
            forget_pages(block.add(at), bytes);
        }
        mi_free(block.cast());
        moved
    }
}

/// Has the system take back the whole pages within these bytes, which read as zeros afterwards.
///
/// # Safety
/// The bytes are the caller's, and what they hold is not needed any more.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "an allocator can be written no other way")]
unsafe fn forget_pages(start: *mut u8, bytes: usize) {
    /// Of every Linux; the call fails, and nothing is given back, where pages are larger and it is not aligned to them.
    const PAGE: usize = 4096;
    const MADV_DONTNEED: i32 = 4;
    unsafe extern "C" {
        fn madvise(address: *mut u8, length: usize, advice: i32) -> i32;
    }
    let skipped = start.align_offset(PAGE);
    let whole = bytes.saturating_sub(skipped) / PAGE * PAGE;
    if whole > 0 {
        // SAFETY: within the caller's bytes. Failure leaves the pages where they are, which is allowed.
        unsafe { madvise(start.add(skipped), whole, MADV_DONTNEED) };
    }
}

/// Other systems keep the pages until mimalloc gives them back.
///
/// # Safety
/// None needed.
#[cfg(not(target_os = "linux"))]
#[expect(unsafe_code, reason = "has the signature of the other one")]
unsafe fn forget_pages(_start: *mut u8, _bytes: usize) {}
