//! The line on the terminal that says how far a long scan is.

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use sf_scan::scan::Progress;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A scan that ends before this shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);

const STEP: Duration = Duration::from_millis(100);

/// Runs `work` and shows `progress` on standard error meanwhile, if `visible`.
pub(crate) fn watch<T>(progress: &Progress, visible: bool, work: impl FnOnce() -> T) -> T {
    if !visible {
        return work();
    }
    thread::scope(|scope| {
        let (done, wait) = channel::<()>();
        scope.spawn(move || {
            let begun = Instant::now();
            if wait.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            loop {
                let bytes = progress.bytes.load(Ordering::Relaxed);
                let rate = bytes as f64 / begun.elapsed().as_secs_f64();
                let files = HumanCount(progress.files.load(Ordering::Relaxed));
                bar.set_message(format!(
                    "{files} files, {}, {}/s",
                    HumanBytes(bytes),
                    HumanBytes(rate as u64)
                ));
                bar.tick();
                if wait.recv_timeout(STEP) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            bar.finish_and_clear();
        });
        let result = work();
        drop(done);
        result
    })
}
