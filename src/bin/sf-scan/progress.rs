//! The progress line on the terminal. It appears only when a scan takes longer than half a second.

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use sf_scan::scan::Progress;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A scan that ends before this shows nothing.
const DELAY: Duration = Duration::from_millis(500);

/// How often the line is redrawn.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// The template while the amount of work is not known.
const SPINNER: &str = "{spinner} {msg}";

/// The template once the number of objects is known.
const BAR: &str = "{bar:30} {percent:>3}%  {human_pos}/{human_len} objects, {msg}, {eta} left";

/// The template once all objects were read. The commits of findings may still be looked up.
const FINISHING: &str = "{spinner} {human_pos} objects were read; finishing";

/// Runs `work`. If `is_visible`, a second thread shows `progress` on standard error meanwhile.
pub(crate) fn watch<T>(progress: &Progress, is_visible: bool, work: impl FnOnce() -> T) -> T {
    if !is_visible {
        return work();
    }
    thread::scope(|scope| {
        // The channel carries no message. Dropping its sender wakes the thread at once when the work is done.
        let (sender, receiver) = channel::<()>();
        let show = move || {
            let started = Instant::now();
            if receiver.recv_timeout(DELAY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let mut line = Line::new(ProgressBar::new_spinner(), started);
            loop {
                line.show(progress);
                if receiver.recv_timeout(REDRAW_INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            line.bar.finish_and_clear();
        };
        // If the system starts no more threads, the scan runs without a progress line.
        let _ = thread::Builder::new().spawn_scoped(scope, show);
        let result = work();
        drop(sender);
        result
    })
}

/// The progress line.
struct Line {
    bar: ProgressBar,
    /// When the current phase started. Files are read first, then objects, and each phase has a rate of its own.
    phase_start: Instant,
    /// How many bytes were read before the current phase.
    bytes_before_phase: u64,
    /// Whether the number of objects is known, so that a bar is shown.
    is_total_known: bool,
}

impl Line {
    fn new(bar: ProgressBar, phase_start: Instant) -> Line {
        set_template(&bar, SPINNER);
        Line { bar, phase_start, bytes_before_phase: 0, is_total_known: false }
    }

    /// Draws the line with the current counts.
    fn show(&mut self, progress: &Progress) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (bytes, total_objects) = (load(&progress.bytes), load(&progress.expected));
        if total_objects > 0 && !self.is_total_known {
            self.phase_start = Instant::now();
            self.bytes_before_phase = bytes;
            self.is_total_known = true;
            self.bar.reset_eta();
        }
        let seconds = self.phase_start.elapsed().as_secs_f64().max(0.001);
        let per_second = |count: u64| (count as f64 / seconds) as u64;
        let byte_rate = HumanBytes(per_second(bytes - self.bytes_before_phase));
        if self.is_total_known {
            let objects = load(&progress.objects);
            // An object that is read in parts may be counted more than once.
            self.bar.set_length(total_objects.max(objects));
            self.bar.set_position(objects);
            self.bar.set_message(format!("{}/s, {byte_rate}/s", HumanCount(per_second(objects))));
            set_template(&self.bar, if objects < total_objects { BAR } else { FINISHING });
        } else if bytes == 0 {
            self.bar.set_message("looking for what there is to read");
        } else {
            let files = HumanCount(load(&progress.files));
            self.bar.set_message(format!("{files} files, {}, {byte_rate}/s", HumanBytes(bytes)));
        }
        self.bar.tick();
    }
}

/// Sets how the line looks. The templates are valid, so the error cannot happen.
fn set_template(bar: &ProgressBar, template: &str) {
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

    /// A terminal that records what is written to it.
    #[derive(Clone, Debug, Default)]
    struct FakeTerminal(Arc<Mutex<String>>);

    impl TermLike for FakeTerminal {
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
        let terminal = FakeTerminal::default();
        let bar = ProgressBar::new_spinner();
        bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        // Dropping the line would clear it, so the text is read before.
        let mut line = Line::new(bar, Instant::now());
        line.show(progress);
        terminal.0.lock().expect("no panic").clone()
    }

    #[test]
    fn shows_percent_rate_and_time_left_if_total_is_known() {
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
