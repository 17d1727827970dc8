//! Work that takes much memory to leave little: on a thread of its own, so that the allocator keeps what it leaves apart from
//! what stays for good, and gives it back to the system once all of it is dropped.
//!
//! Knows nothing of the work. Guarantees that it is done: here, where the system gives no thread.

use std::panic::resume_unwind;
use std::thread;

/// Does work on a thread of its own and waits for it. What is to stay for good is copied out of its result; the rest goes to
/// [`discard`].
///
/// # Panics
/// When the work does.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let (mut work, mut made) = (Some(work), None);
    thread::scope(|scope| {
        let run = || made = work.take().map(|work| work());
        // Without a thread both are as they were. With one it is waited for until it is gone, not only until its work is
        // done: what it had at hand for its own next needs is given back when it ends, and the next thread has its memory.
        if let Ok(thread) = thread::Builder::new().spawn_scoped(scope, run)
            && let Err(panic) = thread.join()
        {
            resume_unwind(panic);
        }
    });
    made.or_else(|| work.map(|work| work())).expect("a thread that ended without a panic has done the work")
}

/// Drops what work [`apart`] left. Were it dropped here, this thread would keep some of it at hand for its own next needs,
/// and all that lies between would stay with the process.
pub fn discard<T: Send>(value: T) {
    apart(move || drop(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_on_another_thread_and_its_result_comes_back() {
        let here = thread::current().id();
        let (there, text) = apart(|| (thread::current().id(), "x".repeat(3)));
        assert_ne!(here, there);
        assert_eq!(text, "xxx");
        discard(text);
    }
}
