//! How much memory the program holds: every allocation is counted on its way to the allocator.
//!
//! Each thread adds up for itself and tells the sum when it has become worth telling, because one counter
//! for all, touched by every allocation, would cost more than the allocations: each of them then waits for
//! the other threads' memory bus. So the figure is off by [`SLACK`] for each thread at most.
//!
//! **Why unsafe code:** an allocator is that by its nature (`GlobalAlloc`), and a counting one from a
//! library has the one counter for all. Here every call is passed on to mimalloc as it came. Only
//! mimalloc can be told to give back what it holds, and only whoever allocates knows what the system may
//! be advised of.
//!
//! A table of a million topics is looked up at random, and in pages of 4 KiB each look-up has the processor find
//! out first where its page is. So the system is asked for large pages where an allocation is large.
#![allow(unsafe_code, reason = "see above: none of this can be written without")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

use mimalloc::MiMalloc;

use crate::limits::GIVEN_BACK_BYTES_MIN;

/// Bytes that a thread may hold or have freed without telling.
const SLACK: usize = 16 * 1024;

/// Bytes of a large page.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 2 << 20;

/// Bytes of an allocation from which on it should lie in large pages.
const LARGE_MIN: usize = 16 << 20;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static CURRENT: AtomicIsize = AtomicIsize::new(0);
static MAXIMUM: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    /// Bytes that this thread has allocated, less those that it has freed, since it told last.
    static UNTOLD: Cell<isize> = const { Cell::new(0) };
    /// The most bytes that the program held when this thread told last, since it gave back what was freed.
    static HIGHEST: Cell<usize> = const { Cell::new(0) };
}

/// Bytes that the program holds.
pub(crate) fn current() -> usize {
    usize::try_from(CURRENT.load(Ordering::Relaxed)).unwrap_or(0)
}

/// The most bytes that it has held.
pub(crate) fn maximum() -> usize {
    usize::try_from(MAXIMUM.load(Ordering::Relaxed)).unwrap_or(0)
}

/// Tells what this thread has not told yet: for a thread that ends.
pub(crate) fn settle() {
    let _ = UNTOLD.try_with(|untold| tell(untold.replace(0)));
}

/// Gives back memory of this thread that was freed, by whichever thread. It would keep that for itself
/// until it needs some.
pub(crate) fn give_back() {
    // SAFETY: it may be called at any time, from any thread.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

/// The same where much was freed since, as that of a slow reader who has gone.
pub(crate) fn give_back_much() {
    let (current, highest) = (current(), HIGHEST.get());
    if highest.saturating_sub(current) >= GIVEN_BACK_BYTES_MIN.max(current) {
        give_back();
        HIGHEST.set(current);
    }
}

fn tell(bytes: isize) {
    let current = CURRENT.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
    if bytes > 0 {
        MAXIMUM.fetch_max(current, Ordering::Relaxed);
        let current = usize::try_from(current).unwrap_or(0);
        let _ = HIGHEST.try_with(|highest| highest.set(highest.get().max(current)));
    }
}

#[inline]
fn note(bytes: isize) {
    // While a thread ends it may have no place of its own any more.
    let _ = UNTOLD.try_with(|untold| {
        let sum = untold.get().wrapping_add(bytes);
        if sum.unsigned_abs() <= SLACK {
            untold.set(sum);
        } else {
            untold.set(0);
            tell(sum);
        }
    });
}

/// Has the system use large pages for the inner part of an allocation, as far as it has some.
#[cfg(target_os = "linux")]
#[cold]
fn ask_for_large_pages(pointer: *mut u8, size: usize) {
    use nix::sys::mman::{MmapAdvise, madvise};
    let before = pointer.align_offset(LARGE_PAGE);
    let inner = size.saturating_sub(before) / LARGE_PAGE * LARGE_PAGE;
    let start = std::ptr::NonNull::new(pointer.wrapping_add(before)).filter(|_| !pointer.is_null());
    if let Some(start) = start.filter(|_| inner > 0) {
        // SAFETY: these pages belong to the allocation, and what they hold stays as it is.
        let _ = unsafe { madvise(start.cast(), inner, MmapAdvise::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages(_: *mut u8, _: usize) {}

/// The bytes of an allocation, of which there are never more than an `isize` holds.
const fn bytes(layout: Layout) -> isize {
    layout.size().cast_signed()
}

struct Counting;

// SAFETY: each call is passed on as it came, and so is its result. Counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(bytes(layout));
        // SAFETY: the caller keeps to what `alloc` asks for.
        let pointer = unsafe { MiMalloc.alloc(layout) };
        if layout.size() >= LARGE_MIN {
            ask_for_large_pages(pointer, layout.size());
        }
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(bytes(layout));
        // SAFETY: the caller keeps to what `alloc_zeroed` asks for.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(bytes(layout).wrapping_neg());
        // SAFETY: the caller keeps to what `dealloc` asks for, and the memory came from mimalloc.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(new_size.cast_signed().wrapping_sub(bytes(layout)));
        // SAFETY: the caller keeps to what `realloc` asks for, and the memory came from mimalloc.
        unsafe { MiMalloc.realloc(pointer, layout, new_size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So much that what other tests do at the same time does not matter.
    const MUCH: usize = 256 << 20;

    #[test]
    fn what_is_held_is_counted_whoever_frees_it() {
        let before = current();
        // Nothing touches these bytes, so that they are only promised.
        let mut much: Vec<u8> = Vec::with_capacity(MUCH);
        assert!(current() - before > MUCH / 2);
        much.reserve_exact(2 * MUCH);
        assert!(current() - before > MUCH + MUCH / 2);
        assert!(maximum() - before > MUCH + MUCH / 2);
        std::thread::spawn(move || drop(much)).join().unwrap();
        assert!(current() < before + MUCH / 2);
    }
}
