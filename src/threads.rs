//! Work on several threads. The system may refuse to start one (a process limit, too little memory): then the threads that
//! run do all of the work, in the end the calling one alone.

use rayon::ThreadPoolBuilder;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, scope};

/// Runs `work` on the calling thread, and at the same time on up to `threads - 1` more. `work` has to ask for its pieces one
/// by one, as it cannot know how many threads run.
pub(crate) fn on_threads(threads: usize, work: impl Fn() + Sync) {
    scope(|scope| {
        for _ in 1..threads {
            if Builder::new().spawn_scoped(scope, &work).is_err() {
                break;
            }
        }
        work();
    });
}

/// Runs `work` on as many threads as `pieces` are worth. Each asks for the index of its next piece until it gets `None`.
pub(crate) fn for_pieces(threads: usize, pieces: usize, work: impl Fn(&dyn Fn() -> Option<usize>) + Sync) {
    /// Fewer pieces are not worth another thread.
    const MIN_PIECES: usize = 17;
    let next = AtomicUsize::new(0);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&piece| piece < pieces);
    on_threads(if pieces < MIN_PIECES { 1 } else { threads }, || work(&take));
}

/// Runs `work`, in which rayon uses up to `threads` threads.
pub(crate) fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let mut count = threads;
    while count > 1 {
        if let Ok(pool) = ThreadPoolBuilder::new().num_threads(count).build() {
            return pool.install(work);
        }
        count /= 2;
    }
    // A pool of the calling thread starts no other. Without one rayon would start its own pool, and panic if that fails.
    // An error means that the thread belongs to a pool already, which rayon then uses.
    let _alone = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
    work()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    #[test]
    fn every_piece_is_worked_on_once() {
        for threads in [0, 1, 2, 7] {
            let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
            on_threads(threads, || {
                while next.fetch_add(1, Ordering::Relaxed) < 1000 {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
            assert_eq!(done.into_inner(), 1000);
        }
    }

    #[test]
    fn a_pool_of_any_size_can_be_used_again() {
        for threads in [1, 3, 1, 0, 2] {
            let sum = || (0..1000_u64).into_par_iter().sum::<u64>();
            let both = in_pool(threads, || rayon::join(sum, sum));
            assert_eq!(both, (499_500, 499_500));
        }
    }
}
