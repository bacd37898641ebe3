//! Reads a file of any size in bounded memory: windows that overlap by what rules look at around a match.

use crate::file::open::ended_early;
use crate::git::objects::damage::Damage;
use crate::input::{Blob, HEAD, MARGIN, Origin};
use crate::source::traits::Visitor;
use crate::text::{Encoding, Mark, is_cut};
use std::io::{self, Read};

/// How many bytes are looked at together. Nearly all files are smaller: they are searched whole, and their lines not counted.
const WINDOW: usize = 1024 * 1024;

/// The most bytes that are looked at together, where something has to be seen whole.
const LARGEST_WINDOW: usize = 4 * 1024 * 1024;

/// A thread's buffer.
#[derive(Debug)]
pub struct Reader {
    buffer: Vec<u8>,
    /// How long it usually is.
    usual: usize,
    /// How much of it is filled, and where in it what was not yet looked at begins.
    filled: usize,
    own: usize,
    /// Where it begins.
    start: Mark,
    encoding: Option<Encoding>,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader::with_window(WINDOW)
    }
}

impl Reader {
    /// A reader whose windows have `window` bytes (at least eight, made a multiple of four) and the margins around them.
    #[must_use]
    pub fn with_window(window: usize) -> Reader {
        let buffer = vec![0; (window.max(8) & !3) + 2 * MARGIN];
        Reader { usual: buffer.len(), buffer, filled: 0, own: 0, start: Mark::START, encoding: None }
    }

    fn begin(&mut self) {
        (self.filled, self.own, self.start, self.encoding) = (0, 0, Mark::START, None);
        self.buffer.truncate(self.usual);
        self.buffer.shrink_to_fit();
    }

    /// Shows the buffer to `look`, and keeps what has to be seen with the following bytes. `look` returns the first place where
    /// something needs more of them.
    fn look(&mut self, is_end: bool, origin: &Origin<'_>, look: &mut dyn FnMut(&Blob<'_>) -> Option<usize>) {
        let filled = self.filled;
        let encoding = *self.encoding.get_or_insert_with(|| Encoding::guess(&self.buffer[..filled]));
        let mut own_end = if is_end { filled } else { filled - MARGIN };
        let (bytes, start) = (&self.buffer[..filled], self.start);
        let own = self.own..own_end;
        // As long as something was not yet seen with so much behind it as is ever looked at together.
        let again =
            if is_end { 0..0 } else { own.start.max((filled + 1).saturating_sub(LARGEST_WINDOW))..own_end };
        let blob = Blob { origin, bytes, start, encoding, own, again };
        let wanted = look(&blob);
        if is_end {
            return self.begin();
        }
        if let Some(wanted) = wanted.filter(|wanted| blob.again.contains(wanted)) {
            own_end = wanted;
            if self.buffer.len() < LARGEST_WINDOW + 2 * MARGIN {
                self.buffer.resize(2 * self.buffer.len(), 0);
            }
        }
        let mut kept = own_end.saturating_sub(MARGIN) & !3;
        while encoding == Encoding::Utf8 && is_cut(&self.buffer[..filled], kept) {
            kept -= 1;
        }
        self.start.advance(&self.buffer[..kept], encoding);
        self.buffer.copy_within(kept..filled, 0);
        self.filled -= kept;
        self.own = own_end - kept;
    }

    /// Takes the next bytes of something that is read by others, and has full windows looked at.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        origin: &Origin<'_>,
        look: &mut dyn FnMut(&Blob<'_>) -> Option<usize>,
    ) {
        while !bytes.is_empty() {
            let room = &mut self.buffer[self.filled..];
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            self.filled += count;
            bytes = &bytes[count..];
            if self.filled == self.buffer.len() {
                self.look(false, origin, look);
            }
        }
    }

    /// Has the last window looked at: nothing follows what was taken.
    pub fn end(&mut self, origin: &Origin<'_>, look: &mut dyn FnMut(&Blob<'_>) -> Option<usize>) {
        self.look(true, origin, look);
    }

    /// Hands what `input` gives to the visitor. `size` is how many bytes it has at least, if that is known: a file of that size
    /// needs no second read to see its end.
    ///
    /// # Errors
    /// A failed read, or fewer bytes than `size`; what was read before has been looked at.
    pub fn read(
        &mut self,
        input: &mut dyn Read,
        size: Option<u64>,
        origin: &Origin<'_>,
        visitor: &mut dyn Visitor,
    ) -> io::Result<()> {
        self.begin();
        let size = size.unwrap_or(0);
        let mut input = Sized { input, size, read: 0 };
        loop {
            let is_first = self.filled == 0;
            let (more, end) = fill(&mut input, &mut self.buffer[self.filled..]);
            self.filled += more;
            if is_first && visitor.opens(origin, &self.buffer[..self.filled.min(HEAD)]) {
                let first = &self.buffer[..self.filled];
                return match end {
                    None => visitor.container(origin, &mut first.chain(input)),
                    Some(Ok(())) => visitor.container(origin, &mut &first[..]),
                    Some(Err(error)) => visitor.container(origin, &mut first.chain(Failed(Some(error)))),
                };
            }
            self.look(end.is_some(), origin, &mut |blob| visitor.blob(blob));
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Hands an object's content to the visitor.
    ///
    /// # Errors
    /// It is corrupt, or holds something else than it declares; what was read before has been looked at.
    pub(super) fn read_object(
        &mut self,
        content: &mut dyn Read,
        size: u64,
        origin: &Origin<'_>,
        visitor: &mut dyn Visitor,
    ) -> Result<(), Damage> {
        // One byte more than there should be, so that what is too long is seen, and not read to its end.
        let mut counted = content.take(size.saturating_add(1));
        let read = self.read(&mut counted, None, origin, visitor);
        read.map_err(|_| Damage::Corrupt)?;
        match size.saturating_add(1) - counted.limit() {
            count if count == size => Ok(()),
            count if count < size => Err(Damage::Length { held: count, declared: size }),
            _ => Err(Damage::TooLong { declared: size }),
        }
    }
}

/// An input that has at least `size` bytes, or fails where it ends.
struct Sized<'i> {
    input: &'i mut dyn Read,
    size: u64,
    read: u64,
}

impl Read for Sized<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(out)?;
        self.read += read as u64;
        if read == 0 && !out.is_empty() && self.read < self.size {
            return Err(ended_early(self.read, self.size));
        }
        Ok(read)
    }
}

/// An input that has failed.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Reads until the buffer is full or the input ends (with what, is the second part).
fn fill(input: &mut Sized<'_>, buffer: &mut [u8]) -> (usize, Option<io::Result<()>>) {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => return (filled, Some(Ok(()))),
            Ok(more) => {
                filled += more;
                // A short read of a regular file is its end; to be sure, it is so only at the size that it said.
                if filled < buffer.len() && input.read == input.size {
                    return (filled, Some(Ok(())));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(Err(error))),
        }
    }
    (filled, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Kind, Skip};
    use std::ops::Range;

    /// Takes note of how much it is shown. Opens containers that begin with `PK`.
    #[derive(Default)]
    struct Counter {
        bytes: usize,
    }

    impl Visitor for Counter {
        fn blob(&mut self, blob: &Blob<'_>) -> Option<usize> {
            self.bytes += blob.own.len();
            None
        }
        fn opens(&self, _: &Origin<'_>, head: &[u8]) -> bool {
            head.starts_with(b"PK")
        }
        fn container(&mut self, _: &Origin<'_>, content: &mut dyn Read) -> io::Result<()> {
            let mut bytes = Vec::new();
            let read = content.read_to_end(&mut bytes);
            self.bytes += bytes.len();
            read.map(|_| ())
        }
        fn looked_at(&self) -> u64 {
            self.bytes as u64
        }
        fn is_clean(&self, _: &[u8], _: &[Range<usize>]) -> bool {
            false
        }
        fn reach(&self) -> usize {
            0
        }
        fn pass(&mut self, _: Kind, _: u64) {}
        fn skip(&mut self, _: Skip) {}
        fn excluded(&mut self) {}
        fn note(&mut self, _: String) {}
    }

    /// What the visitor sees of `bytes` where `size` bytes are expected, and how the read ends.
    fn read(bytes: &[u8], size: Option<u64>) -> (usize, Result<(), String>) {
        let mut visitor = Counter::default();
        let read = Reader::with_window(1024).read(&mut &bytes[..], size, &Origin::stdin(), &mut visitor);
        (visitor.bytes, read.map_err(|error| error.to_string()))
    }

    #[test]
    fn a_file_that_ends_early_is_unread() {
        for start in ["", "PK"] {
            // The buffer has a window and two margins: shorter, as long, longer.
            for length in [0, 1, 100, 1024 + 2 * MARGIN, 1025 + 2 * MARGIN, 200_000] {
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
    fn a_file_that_grows_or_has_no_size_is_read() {
        for start in ["", "PK"] {
            for length in [0, 1, 100, 1024 + 2 * MARGIN, 200_000] {
                let bytes = [start.as_bytes(), &vec![b'x'; length]].concat();
                let length = bytes.len() as u64;
                for size in [None, Some(0), Some(length), Some(length / 2), Some(length.saturating_sub(1))] {
                    assert_eq!(read(&bytes, size), (bytes.len(), Ok(())), "{start} {length} {size:?}");
                }
            }
        }
    }
}
