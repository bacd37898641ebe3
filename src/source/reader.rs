//! Reads content of any size in bounded memory.
//!
//! Content that fits into the buffer is shown to the visitor as one blob. Larger content is shown as windows with a margin on
//! each side. A margin has [`MARGIN_BYTES`], as much as a rule looks at around a match. A compressed stream in the text may
//! need more bytes than a window has. Then the visitor asks for it again, and the buffer grows up to [`MAX_WINDOW_BYTES`].

use crate::file::open::ended_early;
use crate::git::objects::damage::Damage;
use crate::input::{Blob, HEAD_BYTES, MARGIN_BYTES, Origin};
use crate::source::traits::Visitor;
use crate::text::{Encoding, Mark, is_cut};
use std::io::{self, Read};

/// The usual size of a window. Nearly all files are smaller. Of these the lines need not be counted if there is no finding.
const WINDOW_BYTES: usize = 1024 * 1024;

/// The largest window, for streams that have to be seen whole.
const MAX_WINDOW_BYTES: usize = 4 * 1024 * 1024;

/// Windows are cut at multiples of this, so that no unit of UTF-16 or UTF-32 is cut.
const MAX_UNIT_BYTES: usize = 4;

/// The buffer of one thread, and which part of the content it holds.
#[derive(Debug)]
pub struct Reader {
    buffer: Vec<u8>,
    /// The length of the buffer unless it has grown for a stream.
    usual_len: usize,
    /// How many bytes of the buffer are filled.
    filled_len: usize,
    /// The offset in the buffer of the first byte that no window has had.
    window_start: usize,
    /// The position of the first byte of the buffer in the content.
    start: Mark,
    /// The encoding of the content. `None` before its first window.
    encoding: Option<Encoding>,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader::with_window(WINDOW_BYTES)
    }
}

/// Scans a blob. Returns from which offset on it needs more bytes, as [`Visitor::blob`] does.
type ScanBlob<'s> = dyn FnMut(&Blob<'_>) -> Option<usize> + 's;

/// Why [`fill`] stopped.
enum Stop {
    BufferIsFull,
    InputEnded,
    ReadFailed(io::Error),
}

impl Reader {
    /// A reader whose windows have `window_bytes` bytes, without the margins. At least eight, made a multiple of four.
    #[must_use]
    pub fn with_window(window_bytes: usize) -> Reader {
        let window_bytes = window_bytes.max(2 * MAX_UNIT_BYTES) / MAX_UNIT_BYTES * MAX_UNIT_BYTES;
        let buffer = vec![0; window_bytes + 2 * MARGIN_BYTES];
        Reader {
            usual_len: buffer.len(),
            buffer,
            filled_len: 0,
            window_start: 0,
            start: Mark::START,
            encoding: None,
        }
    }

    /// Forgets the content, and frees the memory that a stream needed.
    fn reset(&mut self) {
        self.filled_len = 0;
        self.window_start = 0;
        self.start = Mark::START;
        self.encoding = None;
        self.buffer.truncate(self.usual_len);
        self.buffer.shrink_to_fit();
    }

    /// Scans the window in the buffer. Then drops the bytes that the next window and its left margin do not need. At the end
    /// of the content drops everything.
    fn scan_window(&mut self, is_end: bool, origin: &Origin<'_>, scan: &mut ScanBlob<'_>) {
        let filled_len = self.filled_len;
        let encoding = *self.encoding.get_or_insert_with(|| Encoding::guess(&self.buffer[..filled_len]));
        // The last window has no right margin, because nothing follows.
        let mut window_end = if is_end { filled_len } else { filled_len - MARGIN_BYTES };
        // A stream is shown again with more bytes until MAX_WINDOW_BYTES of it have been shown.
        let first_resumable = (filled_len + 1).saturating_sub(MAX_WINDOW_BYTES).max(self.window_start);
        let resumable = if is_end { 0..0 } else { first_resumable..window_end };
        let blob = Blob {
            origin,
            bytes: &self.buffer[..filled_len],
            start: self.start,
            encoding,
            window: self.window_start..window_end,
            resumable: resumable.clone(),
        };
        let wanted = scan(&blob);
        if is_end {
            return self.reset();
        }
        if let Some(wanted) = wanted.filter(|wanted| resumable.contains(wanted)) {
            window_end = wanted;
            if self.buffer.len() < MAX_WINDOW_BYTES + 2 * MARGIN_BYTES {
                self.buffer.resize(2 * self.buffer.len(), 0);
            }
        }
        let mut kept_start = window_end.saturating_sub(MARGIN_BYTES) / MAX_UNIT_BYTES * MAX_UNIT_BYTES;
        // A character of UTF-8 is not cut either: columns count characters.
        while encoding == Encoding::Utf8 && is_cut(&self.buffer[..filled_len], kept_start) {
            kept_start -= 1;
        }
        self.start.advance(&self.buffer[..kept_start], encoding);
        self.buffer.copy_within(kept_start..filled_len, 0);
        self.filled_len -= kept_start;
        self.window_start = window_end - kept_start;
    }

    /// Takes the next bytes of content that somebody else reads, and scans each window that becomes full. `scan` returns what
    /// [`Visitor::blob`] returns. [`Reader::end`] has to follow.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        origin: &Origin<'_>,
        scan: &mut dyn FnMut(&Blob<'_>) -> Option<usize>,
    ) {
        while !bytes.is_empty() {
            let free = &mut self.buffer[self.filled_len..];
            let (taken, rest) = bytes.split_at(free.len().min(bytes.len()));
            free[..taken.len()].copy_from_slice(taken);
            self.filled_len += taken.len();
            bytes = rest;
            if self.filled_len == self.buffer.len() {
                self.scan_window(false, origin, scan);
            }
        }
    }

    /// Scans the last window of what was pushed.
    pub fn end(&mut self, origin: &Origin<'_>, scan: &mut dyn FnMut(&Blob<'_>) -> Option<usize>) {
        self.scan_window(true, origin, scan);
    }

    /// Reads `input` to its end and hands it to the visitor, as blobs or as a container. `size` is how many bytes it has at
    /// least, if that is known. With it, a file that ends early is noticed, and a small file takes only one read.
    ///
    /// # Errors
    /// A failed read, or fewer bytes than `size`. What was read before has been scanned.
    pub fn read(
        &mut self,
        input: &mut dyn Read,
        size: Option<u64>,
        origin: &Origin<'_>,
        visitor: &mut dyn Visitor,
    ) -> io::Result<()> {
        self.reset();
        let mut input = SizedInput { input, min_bytes: size.unwrap_or(0), read_bytes: 0 };
        loop {
            let is_first = self.filled_len == 0;
            let (count, stop) = fill(&mut input, &mut self.buffer[self.filled_len..]);
            self.filled_len += count;
            let filled = &self.buffer[..self.filled_len];
            if is_first && visitor.is_container(origin, &filled[..filled.len().min(HEAD_BYTES)]) {
                return match stop {
                    Stop::BufferIsFull => visitor.container(origin, &mut filled.chain(input)),
                    Stop::InputEnded => visitor.container(origin, &mut &filled[..]),
                    Stop::ReadFailed(error) => {
                        visitor.container(origin, &mut filled.chain(FailedInput(Some(error))))
                    }
                };
            }
            let is_end = !matches!(stop, Stop::BufferIsFull);
            self.scan_window(is_end, origin, &mut |blob| visitor.blob(blob));
            match stop {
                Stop::BufferIsFull => {}
                Stop::InputEnded => return Ok(()),
                Stop::ReadFailed(error) => return Err(error),
            }
        }
    }

    /// Reads a git object that declares `size` bytes, and hands it to the visitor.
    ///
    /// # Errors
    /// It is corrupt, or has not as many bytes as it declares. What was read before has been scanned.
    pub(super) fn read_object(
        &mut self,
        content: &mut dyn Read,
        size: u64,
        origin: &Origin<'_>,
        visitor: &mut dyn Visitor,
    ) -> Result<(), Damage> {
        // One byte above the size shows that an object is too long, without reading it to its end.
        let max_bytes = size.saturating_add(1);
        let mut limited = content.take(max_bytes);
        self.read(&mut limited, None, origin, visitor).map_err(|_| Damage::Corrupt)?;
        let read_bytes = max_bytes - limited.limit();
        if read_bytes < size {
            return Err(Damage::Length { held: read_bytes, declared: size });
        }
        if read_bytes > size {
            return Err(Damage::TooLong { declared: size });
        }
        Ok(())
    }
}

/// An input that fails if it ends before `min_bytes`.
struct SizedInput<'i> {
    input: &'i mut dyn Read,
    min_bytes: u64,
    read_bytes: u64,
}

impl Read for SizedInput<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(out)?;
        self.read_bytes += count as u64;
        if count == 0 && !out.is_empty() && self.read_bytes < self.min_bytes {
            return Err(ended_early(self.read_bytes, self.min_bytes));
        }
        Ok(count)
    }
}

/// An input that has failed: the first read returns the error.
struct FailedInput(Option<io::Error>);

impl Read for FailedInput {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Reads until the buffer is full or the input ends or fails. Returns how many bytes were read, and why it stopped.
fn fill(input: &mut SizedInput<'_>, buffer: &mut [u8]) -> (usize, Stop) {
    let mut filled_len = 0;
    while filled_len < buffer.len() {
        match input.read(&mut buffer[filled_len..]) {
            Ok(0) => return (filled_len, Stop::InputEnded),
            Ok(count) => {
                filled_len += count;
                // A file that has given as many bytes as its size is at its end. This saves a second system call for each file.
                if filled_len < buffer.len() && input.read_bytes == input.min_bytes {
                    return (filled_len, Stop::InputEnded);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled_len, Stop::ReadFailed(error)),
        }
    }
    (filled_len, Stop::BufferIsFull)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Kind, Skip};
    use std::ops::Range;

    /// Counts the bytes that it is shown. Content that begins with `PK` is a container.
    #[derive(Default)]
    struct Counter {
        bytes: usize,
    }

    impl Visitor for Counter {
        fn blob(&mut self, blob: &Blob<'_>) -> Option<usize> {
            self.bytes += blob.window.len();
            None
        }
        fn is_container(&self, _: &Origin<'_>, head: &[u8]) -> bool {
            head.starts_with(b"PK")
        }
        fn container(&mut self, _: &Origin<'_>, content: &mut dyn Read) -> io::Result<()> {
            let mut bytes = Vec::new();
            let read = content.read_to_end(&mut bytes);
            self.bytes += bytes.len();
            read.map(|_| ())
        }
        fn bytes_scanned(&self) -> u64 {
            self.bytes as u64
        }
        fn is_clean(&self, _: &[u8], _: &[Range<usize>]) -> bool {
            false
        }
        fn reach(&self) -> usize {
            0
        }
        fn count_clean(&mut self, _: Kind, _: u64) {}
        fn skip(&mut self, _: Skip) {}
        fn count_excluded(&mut self) {}
        fn count_missing_submodule(&mut self) {}
        fn note(&mut self, _: String) {}
    }

    /// Reads `bytes` where `size` bytes are expected. Returns how many the visitor is shown, and how the read ends.
    fn read(bytes: &[u8], size: Option<u64>) -> (usize, Result<(), String>) {
        let mut visitor = Counter::default();
        let read = Reader::with_window(1024).read(&mut &bytes[..], size, &Origin::stdin(), &mut visitor);
        (visitor.bytes, read.map_err(|error| error.to_string()))
    }

    #[test]
    fn reports_file_that_ends_early() {
        for start in ["", "PK"] {
            // Content that is shorter than the buffer (a window and two margins), as long, and longer.
            for length in [0, 1, 100, 1024 + 2 * MARGIN_BYTES, 1025 + 2 * MARGIN_BYTES, 200_000] {
                let bytes = [start.as_bytes(), &vec![b'x'; length]].concat();
                for missing in [1, 5000] {
                    let size = (bytes.len() + missing) as u64;
                    let why = format!(
                        "it ended after {} of its {size} bytes while it was read; scan it again",
                        bytes.len()
                    );
                    assert_eq!(read(&bytes, Some(size)), (bytes.len(), Err(why)), "{start} {length}");
                }
            }
        }
    }

    #[test]
    fn reads_file_that_grows_or_has_no_size() {
        for start in ["", "PK"] {
            for length in [0, 1, 100, 1024 + 2 * MARGIN_BYTES, 200_000] {
                let bytes = [start.as_bytes(), &vec![b'x'; length]].concat();
                let length = bytes.len() as u64;
                for size in [None, Some(0), Some(length), Some(length / 2), Some(length.saturating_sub(1))] {
                    assert_eq!(read(&bytes, size), (bytes.len(), Ok(())), "{start} {length} {size:?}");
                }
            }
        }
    }
}
