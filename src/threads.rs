//! Runs work on several threads. The system may refuse to start a thread, because of a process limit or too little memory.
//! Then the threads that run do all of the work. In the worst case that is the calling thread alone.

use rayon::ThreadPoolBuilder;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, scope};

/// Runs `work` on the calling thread and on up to `threads - 1` more at the same time. `work` must take its pieces one by one
/// from a shared queue, because it cannot know how many threads run.
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

/// Runs `work` on several threads, or on one if there are few pieces. `work` gets a function that returns the index of the next
/// piece, or `None` when all are taken.
pub(crate) fn for_pieces(threads: usize, pieces: usize, work: impl Fn(&dyn Fn() -> Option<usize>) + Sync) {
    /// For fewer pieces, starting threads costs more than it saves.
    const MIN_PIECES: usize = 17;
    let next = AtomicUsize::new(0);
    let next_piece = || {
        let piece = next.fetch_add(1, Ordering::Relaxed);
        (piece < pieces).then_some(piece)
    };
    on_threads(if pieces < MIN_PIECES { 1 } else { threads }, || work(&next_piece));
}

/// Runs `work` in a pool of rayon with up to `threads` threads. A pool that cannot start is tried again with half as many.
pub(crate) fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let mut count = threads;
    while count > 1 {
        if let Ok(pool) = ThreadPoolBuilder::new().num_threads(count).build() {
            return pool.install(work);
        }
        count /= 2;
    }
    // This pool has only the calling thread. Without it rayon would start its global pool, and panic if that fails. An error
    // means that the thread belongs to a pool already, which rayon then uses.
    let _single = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
    work()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    #[test]
    fn works_on_each_piece_once() {
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
    fn runs_in_pools_of_any_size_in_a_row() {
        for threads in [1, 3, 1, 0, 2] {
            let sum = || (0..1000_u64).into_par_iter().sum::<u64>();
            let both = in_pool(threads, || rayon::join(sum, sum));
            assert_eq!(both, (499_500, 499_500));
        }
    }
}
