//! Maps of files which another process can cut short. What is reached beyond such a file's end would end this process by SIGBUS;
//! here it is memory of nobody's instead, and who looks at the file's length next is told.

use std::ffi::c_void;
use std::io;
use std::ptr::null_mut;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::libc;

/// Maps there may be at a time: 64 regions of a guest's, a log, and as many again while they are replaced.
const MOST: usize = 160;

/// Addresses of maps, first and end; an end of 0: none.
static GUARDED: [[AtomicUsize; 2]; MOST] = [const { [AtomicUsize::new(0), AtomicUsize::new(0)] }; MOST];
static READY: Once = Once::new();

/// A map is guarded as long as this lives, which is less long than the map.
#[derive(Debug)]
pub(super) struct Guard(usize);

impl Guard {
    /// Of so many bytes from `start` on, which is a page's first.
    pub(super) fn new(start: usize, bytes: usize) -> io::Result<Guard> {
        let mut handled = Ok(());
        READY.call_once(|| handled = handle());
        handled?;
        for (place, [first, end]) in GUARDED.iter().enumerate() {
            if first.compare_exchange(0, start, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                end.store(start + bytes.next_multiple_of(4096), Ordering::SeqCst);
                return Ok(Guard(place));
            }
        }
        Err(io::Error::other(format!("{MOST} files of other processes are mapped already")))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let [first, end] = &GUARDED[self.0];
        end.store(0, Ordering::SeqCst);
        first.store(0, Ordering::SeqCst);
    }
}

fn handle() -> io::Result<()> {
    // SAFETY: all zero is a `sigaction`; the handler has the form which SA_SIGINFO wants, and does nothing that a handler may
    // not do.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_bus as extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        match libc::sigaction(libc::SIGBUS, &action, null_mut()) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Only system calls and atomics: it may come in the middle of anything.
extern "C" fn on_bus(_: i32, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel gives it to the handler.
    let at = unsafe { (*info).si_addr() } as usize;
    for [first, end] in &GUARDED {
        let (first, end) = (first.load(Ordering::SeqCst), end.load(Ordering::SeqCst));
        if !(first..end).contains(&at) {
            continue;
        }
        let (protection, flags) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE,
        );
        // SAFETY: the map is there, for its guard is; all of it is replaced, and nothing is a reference into it.
        let new = unsafe { libc::mmap(first as *mut c_void, end - first, protection, flags, -1, 0) };
        if new != libc::MAP_FAILED {
            return;
        }
    }
    // Somebody else's: it comes again, and ends the process as it would have.
    // SAFETY: no more than what the system does without us.
    unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
}
