//! Reads a file of any size in bounded memory: windows that overlap by what rules look at around a match.

use super::Visitor;
use crate::input::{Blob, MARGIN, Origin};
use crate::text::{Encoding, Mark, is_cut};
use std::io::{self, Read};

/// How many bytes are looked at together. Nearly all files are smaller.
const WINDOW: usize = 256 * 1024;

/// A thread's buffer.
#[derive(Debug)]
pub struct Reader {
    buffer: Vec<u8>,
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
        Reader { buffer: vec![0; (window.max(8) & !3) + 2 * MARGIN] }
    }

    /// Hands what `input` gives to the visitor. `size` is how many bytes are expected, if that is known: a file of
    /// that size needs no second read to see its end.
    ///
    /// # Errors
    /// A failed read; what was read before has been looked at.
    pub fn read(
        &mut self,
        input: &mut dyn Read,
        size: Option<u64>,
        origin: &Origin<'_>,
        visitor: &mut dyn Visitor,
    ) -> io::Result<()> {
        let mut start = Mark::START;
        let mut filled = 0;
        let mut own = 0;
        let mut encoding = None;
        loop {
            let expected = size.filter(|&size| size > 0).map(|size| size.saturating_sub(start.offset));
            let (more, end) =
                fill(input, &mut self.buffer[filled..], expected.map(|size| size - filled as u64));
            filled += more;
            let encoding = *encoding.get_or_insert_with(|| Encoding::guess(&self.buffer[..filled]));
            let own_end = if end.is_some() { filled } else { filled - MARGIN };
            let bytes = &self.buffer[..filled];
            visitor.blob(&Blob { origin, bytes, start, encoding, own: own..own_end });
            if let Some(end) = end {
                return end;
            }
            let mut kept = (own_end - MARGIN) & !3;
            while encoding == Encoding::Utf8 && is_cut(&self.buffer[..filled], kept) {
                kept -= 1;
            }
            start.advance(&self.buffer[..kept], encoding);
            self.buffer.copy_within(kept..filled, 0);
            filled -= kept;
            own = own_end - kept;
        }
    }

    /// Hands an object's content to the visitor.
    ///
    /// # Errors
    /// It is corrupt, or holds something else than it declares, for people; what was read before has been looked at.
    pub(super) fn read_object(
        &mut self,
        content: &mut dyn Read,
        size: u64,
        origin: &Origin<'_>,
        visitor: &mut dyn Visitor,
    ) -> Result<(), String> {
        // One byte more than there should be, so that what is too long is seen, and not read to its end.
        let mut counted = content.take(size.saturating_add(1));
        let read = self.read(&mut counted, None, origin, visitor);
        read.map_err(|_| "its compressed data is corrupt".to_owned())?;
        match size.saturating_add(1) - counted.limit() {
            count if count == size => Ok(()),
            count if count < size => Err(format!("it holds {count} bytes and declares {size}")),
            _ => Err(format!("it holds more than the {size} bytes that it declares")),
        }
    }
}

/// Reads until the buffer is full or the input ends (with what, is the second part).
fn fill(input: &mut dyn Read, buffer: &mut [u8], expected: Option<u64>) -> (usize, Option<io::Result<()>>) {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => return (filled, Some(Ok(()))),
            Ok(more) => {
                filled += more;
                // A short read of a regular file is its end; to be sure, it is so only at the size that it said.
                if filled < buffer.len() && expected == Some(filled as u64) {
                    return (filled, Some(Ok(())));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(Err(error))),
        }
    }
    (filled, None)
}
