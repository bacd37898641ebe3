//! The line on the terminal that says how far a long scan is.

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use sf_scan::scan::Progress;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A scan that ends before this shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);

const STEP: Duration = Duration::from_millis(100);

/// What is shown while nobody knows how much there is.
const OPEN_END: &str = "{spinner} {msg}";

/// What is shown once it is known how many objects there are.
const WITH_END: &str = "{bar:30} {percent:>3}%  {human_pos}/{human_len} objects, {msg}, {eta} left";

/// What is shown once all of them were read: commits may still be asked where a finding comes from.
const AT_END: &str = "{spinner} {human_pos} objects were read; finishing";

/// Runs `work` and shows `progress` on standard error meanwhile, if `visible`.
pub(crate) fn watch<T>(progress: &Progress, visible: bool, work: impl FnOnce() -> T) -> T {
    if !visible {
        return work();
    }
    thread::scope(|scope| {
        let (done, wait) = channel::<()>();
        let show = move || {
            let begun = Instant::now();
            if wait.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let mut line = Line::new(ProgressBar::new_spinner(), begun);
            loop {
                line.show(progress);
                if wait.recv_timeout(STEP) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            line.bar.finish_and_clear();
        };
        // If the system starts no further thread, the scan runs without this line.
        let _ = thread::Builder::new().spawn_scoped(scope, show);
        let result = work();
        drop(done);
        result
    })
}

/// What is on the terminal.
struct Line {
    bar: ProgressBar,
    /// When what is counted began, and how many bytes had been read by then: files come before objects and say nothing
    /// of how fast those are.
    begun: Instant,
    bytes_before: u64,
    has_end: bool,
}

impl Line {
    fn new(bar: ProgressBar, begun: Instant) -> Line {
        dress(&bar, OPEN_END);
        Line { bar, begun, bytes_before: 0, has_end: false }
    }

    fn show(&mut self, progress: &Progress) {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let (bytes, expected) = (read(&progress.bytes), read(&progress.expected));
        if expected > 0 && !self.has_end {
            *self = Line { begun: Instant::now(), bytes_before: bytes, has_end: true, bar: self.bar.clone() };
            self.bar.reset_eta();
        }
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        let rate = |count: u64| (count as f64 / seconds) as u64;
        let byte_rate = HumanBytes(rate(bytes - self.bytes_before));
        if self.has_end {
            let objects = read(&progress.objects);
            // An object that is read in parts may be counted more than once.
            self.bar.set_length(expected.max(objects));
            self.bar.set_position(objects);
            self.bar.set_message(format!("{}/s, {byte_rate}/s", HumanCount(rate(objects))));
            dress(&self.bar, if objects < expected { WITH_END } else { AT_END });
        } else if bytes == 0 {
            self.bar.set_message("looking for what there is to read");
        } else {
            let files = HumanCount(read(&progress.files));
            self.bar.set_message(format!("{files} files, {}, {byte_rate}/s", HumanBytes(bytes)));
        }
        self.bar.tick();
    }
}

fn dress(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{ProgressDrawTarget, TermLike};
    use std::io;
    use std::sync::{Arc, Mutex};

    /// A terminal that keeps what is written on it.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            150
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().expect("no panic").push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.0.lock().expect("no panic").clear();
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(progress: &Progress) -> String {
        let paper = Paper::default();
        let bar = ProgressBar::new_spinner();
        bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(paper.clone())));
        // A line that is dropped is wiped out.
        let mut line = Line::new(bar, Instant::now());
        line.show(progress);
        paper.0.lock().expect("no panic").clone()
    }

    #[test]
    fn with_a_known_end_there_are_percents_rates_and_time_left() {
        let progress = Progress::default();
        assert!(shown(&progress).contains("looking for what there is"), "{}", shown(&progress));
        progress.files.store(7, Ordering::Relaxed);
        progress.bytes.store(2048, Ordering::Relaxed);
        assert!(shown(&progress).contains("7 files, 2.00 KiB, "), "{}", shown(&progress));
        progress.objects.store(250_000, Ordering::Relaxed);
        progress.expected.store(1_000_000, Ordering::Relaxed);
        let line = shown(&progress);
        for part in ["=======>  ", " 25%  250,000/1,000,000 objects, ", "/s, 0 B/s, ", " left"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        progress.objects.store(1_000_000, Ordering::Relaxed);
        assert!(shown(&progress).contains("1,000,000 objects were read"), "{}", shown(&progress));
    }
}
