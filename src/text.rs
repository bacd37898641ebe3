//! Text: where a byte stands in a file, and how strangers' bytes are printed.
//!
//! A line ends at a line feed, as for git; a carriage return before it belongs to the line's end. A column counts
//! what an editor counts: a byte order mark is no column, a tab and a combining mark are one each.

use std::fmt::Write as _;
use std::ops::Range;

/// How a file's text is written, as far as counting lines needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, ASCII, Latin-1, or no text at all.
    Utf8,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
    /// UTF-32, low byte first.
    Utf32Le,
    /// UTF-32, high byte first.
    Utf32Be,
}

impl Encoding {
    /// Guesses from the first bytes of a file: by the byte order mark, else by what the bytes decode to.
    /// One kilobyte is enough. A wrong guess moves lines and columns; it never hides a key.
    #[must_use]
    pub fn guess(head: &[u8]) -> Encoding {
        match head {
            [0xFF, 0xFE, 0, 0, ..] => return Encoding::Utf32Le,
            [0, 0, 0xFE, 0xFF, ..] => return Encoding::Utf32Be,
            [0xFF, 0xFE, ..] => return Encoding::Utf16Le,
            [0xFE, 0xFF, ..] => return Encoding::Utf16Be,
            // CPython bytecode (.pyc). Its instructions look like UTF-16: a letter, then a small number.
            [_, _, b'\r', b'\n', ..] => return Encoding::Utf8,
            _ => {}
        }
        let head = &head[..head.len().min(1024)];
        // Where 40 % of the units are ASCII, a fifth of the bytes is zero. Few other files have that many.
        let zeros = memchr::memchr_iter(0, head).count();
        if head.len() < 8 || zeros * 5 < head.len() {
            return Encoding::Utf8;
        }
        [Encoding::Utf32Le, Encoding::Utf32Be, Encoding::Utf16Le, Encoding::Utf16Be]
            .into_iter()
            .find(|encoding| encoding.is_plausible(head))
            .unwrap_or(Encoding::Utf8)
    }

    /// Whether bytes without a byte order mark decode to text: at least 40 % ASCII, at most 5 % control characters.
    ///
    /// Zero bytes alone prove nothing: tables of numbers are full of them. The index of a static library holds
    /// offsets such as `00 41 12 23`. In UTF-16 that is an `A` and a CJK character. But text has ASCII in even and
    /// in odd units. In a table of 32-bit numbers, only one half of each number looks like ASCII.
    fn is_plausible(self, bytes: &[u8]) -> bool {
        let units = bytes.len() / self.unit();
        let (mut ascii, mut no_text) = ([0, 0], 0);
        for (at, unit) in self.units(bytes).enumerate() {
            match unit {
                // Control characters that occur in text: BEL to CR, and ESC, as in `file` (encoding.c).
                0x07..=0x0D | 0x1B | 0x20..=0x7E => ascii[at % 2] += 1,
                0x00..=0x9F | 0xE000..=0xF8FF | 0xFFFE..=0xFFFF | 0x11_0000.. => no_text += 1,
                _ => {}
            }
            if no_text * 20 > units {
                return false;
            }
        }
        let [even, odd] = ascii.map(|count: usize| count * 100 / units);
        even + odd >= 40 && even.min(odd) >= 5
    }

    /// How many bytes each unit of the text has.
    #[must_use]
    pub fn unit(self) -> usize {
        match self {
            Encoding::Utf8 => 1,
            Encoding::Utf16Le | Encoding::Utf16Be => 2,
            Encoding::Utf32Le | Encoding::Utf32Be => 4,
        }
    }

    /// The encoding with the bytes of each unit the other way round, and whether this one has the low one first.
    #[must_use]
    pub fn other_order(self) -> (Encoding, bool) {
        let other = match self {
            Encoding::Utf8 => Encoding::Utf8,
            Encoding::Utf16Le => Encoding::Utf16Be,
            Encoding::Utf16Be => Encoding::Utf16Le,
            Encoding::Utf32Le => Encoding::Utf32Be,
            Encoding::Utf32Be => Encoding::Utf32Le,
        };
        (other, self.is_low_first())
    }

    /// Whether the bytes of a unit stand with the low one first.
    fn is_low_first(self) -> bool {
        matches!(self, Encoding::Utf16Le | Encoding::Utf32Le)
    }

    /// The units of text that is not in UTF-8.
    fn units(self, bytes: &[u8]) -> impl Iterator<Item = u32> {
        bytes.chunks_exact(self.unit()).map(move |unit| {
            let add = |value: u32, &byte: &u8| value << 8 | u32::from(byte);
            if self.is_low_first() { unit.iter().rev().fold(0, add) } else { unit.iter().fold(0, add) }
        })
    }

    /// What `bytes` say, which begin at a whole unit: the text of [`Encoding::view`]. Then how much of it begins before the
    /// byte `border`, and where what follows that begins.
    #[must_use]
    pub fn text(self, bytes: &[u8], border: usize) -> (Vec<u8>, usize, usize) {
        /// How many units are looked at together.
        const TOGETHER: usize = 16;
        if self == Encoding::Utf8 {
            let own = border.min(bytes.len());
            return (bytes.to_vec(), own, own);
        }
        let mut text = Vec::with_capacity(bytes.len() / self.unit());
        let mut own = None;
        let mut at = 0;
        while at + self.unit() <= bytes.len() {
            if own.is_none() && at >= border {
                own = Some((text.len(), at));
            }
            // Nearly all of it is ASCII.
            let block = bytes[at..].get(..TOGETHER * self.unit());
            let is_whole = own.is_some() || at + TOGETHER * self.unit() <= border;
            if let Some(block) = block.filter(|block| is_whole && self.is_ascii(block)) {
                let low = if self.is_low_first() { 0 } else { self.unit() - 1 };
                text.extend(block.iter().skip(low).step_by(self.unit()));
                at += block.len();
                continue;
            }
            let mut units = self.units(&bytes[at..]);
            let (character, count) = match self {
                Encoding::Utf16Le | Encoding::Utf16Be => {
                    let units = units.map(|unit| u16::try_from(unit).unwrap_or_default());
                    let character = char::decode_utf16(units).next().and_then(Result::ok);
                    (character, character.map_or(1, char::len_utf16))
                }
                _ => (units.next().and_then(char::from_u32), 1),
            };
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            at += count * self.unit();
        }
        let (own, next) = own.unwrap_or((text.len(), at));
        (text, own, next)
    }

    /// Whether all units are ASCII characters.
    fn is_ascii(self, bytes: &[u8]) -> bool {
        let or = |place: usize| bytes.iter().skip(place).step_by(self.unit()).fold(0, |all, byte| all | byte);
        let low = if self.is_low_first() { 0 } else { self.unit() - 1 };
        (0..self.unit()).all(|place| or(place) <= if place == low { 0x7F } else { 0 })
    }

    /// Reads `bytes`, which begin at a whole unit. What is no text becomes U+FFFD.
    #[must_use]
    pub fn view(self, bytes: &[u8]) -> View {
        let mut view = View::with_capacity(bytes.len() / self.unit());
        let mut at = 0;
        let mut add = |character: Result<char, _>, units: usize| {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            let end = at + units * self.unit();
            view.push_char(character, &(at..end));
            at = end;
        };
        match self {
            Encoding::Utf8 => view.push_part(bytes, 0..bytes.len()),
            Encoding::Utf16Le | Encoding::Utf16Be => {
                let units = self.units(bytes).map(|unit| u16::try_from(unit).unwrap_or_default());
                char::decode_utf16(units).for_each(|character| {
                    let units = character.as_ref().map_or(1, |character| character.len_utf16());
                    add(character.map_err(drop), units);
                });
            }
            Encoding::Utf32Le | Encoding::Utf32Be => {
                self.units(bytes).for_each(|unit| add(char::try_from(unit).map_err(drop), 1));
            }
        }
        view
    }
}

/// A place in a file, counted from zero save for the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Bytes since the start of the file.
    pub offset: u64,
    /// The line, from 1.
    pub line: u64,
    /// Unicode code points since the start of the line.
    pub column: u64,
    /// UTF-16 code units since the start of the line.
    pub utf16: u64,
}

impl Mark {
    /// The first byte of a file.
    pub const START: Mark = Mark { offset: 0, line: 1, column: 0, utf16: 0 };

    /// Moves over `bytes`, which are the file's next ones and whole characters: of UTF-16 and UTF-32 whole units, of UTF-8 up to a byte that begins a character ([`is_cut`])
    pub fn advance(&mut self, bytes: &[u8], encoding: Encoding) {
        let mark: &[u8] = match encoding {
            Encoding::Utf8 => b"\xEF\xBB\xBF",
            Encoding::Utf16Le => b"\xFF\xFE",
            Encoding::Utf16Be => b"\xFE\xFF",
            Encoding::Utf32Le => b"\xFF\xFE\0\0",
            Encoding::Utf32Be => b"\0\0\xFE\xFF",
        };
        let unmarked = bytes.strip_prefix(mark).filter(|_| self.offset == 0);
        let counted = unmarked.unwrap_or(bytes);
        self.offset += bytes.len() as u64;
        match encoding {
            Encoding::Utf8 => self.count_utf8(counted),
            _ => self.count_units(counted, encoding),
        }
    }

    fn count_utf8(&mut self, bytes: &[u8]) {
        let mut tail = bytes;
        if let Some(last) = memchr::memrchr(b'\n', bytes) {
            self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
            (self.column, self.utf16) = (0, 0);
            tail = &bytes[last + 1..];
        }
        while !tail.is_empty() {
            // An ASCII byte is always a character of its own, so the text can be cut before it.
            let block = tail.len().min(64);
            let cut = tail[block..].iter().position(u8::is_ascii).map_or(tail.len(), |more| block + more);
            let part;
            (part, tail) = tail.split_at(cut);
            if part.is_ascii() {
                self.column += part.len() as u64;
                self.utf16 += part.len() as u64;
            } else {
                self.count_lossy(part);
            }
        }
    }

    /// Counts the characters of one line. Each invalid sequence counts as one replacement character (WHATWG Encoding).
    fn count_lossy(&mut self, part: &[u8]) {
        for chunk in part.utf8_chunks() {
            let valid = chunk.valid().as_bytes();
            let characters = valid.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u64;
            let beyond_16_bits = valid.iter().filter(|&&byte| byte >= 0xF0).count() as u64;
            let replaced = u64::from(!chunk.invalid().is_empty());
            self.column += characters + replaced;
            self.utf16 += characters + beyond_16_bits + replaced;
        }
    }

    fn count_units(&mut self, bytes: &[u8], encoding: Encoding) {
        for unit in encoding.units(bytes) {
            if unit == u32::from(b'\n') {
                self.line += 1;
                (self.column, self.utf16) = (0, 0);
            } else {
                self.utf16 += 1 + u64::from(unit > 0xFFFF);
                self.column += u64::from(encoding.unit() == 4 || !(0xDC00..=0xDFFF).contains(&unit));
            }
        }
    }
}

/// Text that was decoded from how it is written, with the way back to the bytes as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The decoded text.
    pub text: Vec<u8>,
    /// For each byte of `text` where in the written bytes that which it is read from begins.
    starts: Vec<usize>,
    /// For each byte of `text` where that ends.
    ends: Vec<usize>,
}

impl View {
    /// An empty view with room for so many bytes of text.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> View {
        View {
            text: Vec::with_capacity(bytes),
            starts: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(bytes),
        }
    }

    /// Adds a byte that is read from `written`.
    pub fn push(&mut self, byte: u8, written: Range<usize>) {
        self.text.push(byte);
        self.starts.push(written.start);
        self.ends.push(written.end);
    }

    /// Adds a part of a text that stands there as it is.
    ///
    /// # Panics
    /// For a part that goes beyond the text.
    pub fn push_part(&mut self, text: &[u8], part: Range<usize>) {
        self.text.extend_from_slice(&text[part.clone()]);
        self.starts.extend(part.clone());
        self.ends.extend(part.start + 1..part.end + 1);
    }

    /// Adds a character that is read from `written`.
    pub fn push_char(&mut self, character: char, written: &Range<usize>) {
        for &byte in character.encode_utf8(&mut [0; 4]).as_bytes() {
            self.push(byte, written.clone());
        }
    }

    /// Where the byte `at` of the text begins as it is written; behind the last byte of the text where that ends.
    ///
    /// # Panics
    /// For what is farther behind the text.
    #[must_use]
    pub fn start(&self, at: usize) -> usize {
        if at == self.text.len() { self.ends.last().copied().unwrap_or_default() } else { self.starts[at] }
    }

    /// What a part of the text is read from.
    ///
    /// # Panics
    /// For what lies behind the text.
    #[must_use]
    pub fn written(&self, part: &Range<usize>) -> Range<usize> {
        let start = self.start(part.start);
        start..if part.is_empty() { start } else { self.ends[part.end - 1] }
    }

    /// The first byte of the text that is read from the written byte `written` or one behind it.
    #[must_use]
    pub fn position(&self, written: usize) -> usize {
        self.starts.partition_point(|&start| start < written)
    }

    /// Adds another view of the same bytes.
    pub fn append(&mut self, other: &View) {
        self.text.extend_from_slice(&other.text);
        self.starts.extend_from_slice(&other.starts);
        self.ends.extend_from_slice(&other.ends);
    }

    /// The first `length` bytes of the text.
    #[must_use]
    pub fn cut(&self, length: usize) -> View {
        View {
            text: self.text[..length].to_vec(),
            starts: self.starts[..length].to_vec(),
            ends: self.ends[..length].to_vec(),
        }
    }

    /// The same view of bytes that stand `by` bytes farther on.
    #[must_use]
    pub fn moved(mut self, by: usize) -> View {
        self.starts.iter_mut().chain(&mut self.ends).for_each(|place| *place += by);
        self
    }

    /// The same text, where what it was read from was itself decoded: `outer` knows how that is written.
    #[must_use]
    pub fn within(mut self, outer: &View) -> View {
        for (start, end) in self.starts.iter_mut().zip(&mut self.ends) {
            let written = outer.written(&(*start..*end));
            (*start, *end) = (written.start, written.end);
        }
        self
    }
}

/// Whether the text begins with a literal. Short ones are compared faster here than by a call.
#[inline]
#[must_use]
pub fn begins_with(text: &[u8], literal: &[u8]) -> bool {
    text.len() >= literal.len() && text.iter().zip(literal).all(|(byte, own)| byte == own)
}

/// Makes bytes from outside safe to print on a terminal or in a log: line ends, control characters, characters that
/// turn or hide text, and bytes that are no UTF-8 become visible escapes.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                hidden if is_hidden(hidden) => match u8::try_from(hidden) {
                    Ok(byte) => escape(&mut out, byte),
                    Err(_) => {
                        let _ = write!(out, "\\u{{{:x}}}", u32::from(hidden));
                    }
                },
                visible => out.push(visible),
            }
        }
        for &byte in chunk.invalid() {
            escape(&mut out, byte);
        }
    }
    // The GitHub runner takes `##[error]` for a command wherever in a line it stands.
    if out.contains("##[") { out.replace("##[", "#\\x23[") } else { out }
}

/// Whether a cut before `bytes[at]` would go through a character of UTF-8.
#[must_use]
pub fn is_cut(bytes: &[u8], at: usize) -> bool {
    let continues = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    // More than three continuation bytes in a row belong to no character.
    continues(at) && (1..=3).any(|back| at >= back && !continues(at - back))
}

fn escape(out: &mut String, byte: u8) {
    let _ = write!(out, "\\x{byte:02x}");
}

/// Whether a character shows nothing of itself, or changes how others show: controls, bidirectional marks, zero-width characters, line separators, tags, and what is not assigned to text.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(text: &[u8], encoding: Encoding) -> (u64, u64, u64) {
        let mut mark = Mark::START;
        mark.advance(text, encoding);
        (mark.line, mark.column, mark.utf16)
    }

    #[test]
    fn columns_count_what_an_editor_counts() {
        assert_eq!(mark(b"", Encoding::Utf8), (1, 0, 0));
        assert_eq!(mark(b"a\r\n\tb", Encoding::Utf8), (2, 2, 2));
        assert_eq!(mark("\u{feff}ab".as_bytes(), Encoding::Utf8), (1, 2, 2));
        assert_eq!(mark("e\u{301}\u{1f600}".as_bytes(), Encoding::Utf8), (1, 3, 4));
        assert_eq!(mark(b"\n\n\n", Encoding::Utf8), (4, 0, 0));
        assert_eq!(mark(b"\xFF\xFEa\0\n\0b\0", Encoding::Utf16Le), (2, 1, 1));
        assert_eq!(mark(b"\xFE\xFF\0a\xD8\x3D\xDE\x00", Encoding::Utf16Be), (1, 2, 3));
        assert_eq!(mark(b"\xFF\xFE\0\0a\0\0\0\x00\xf6\x01\0", Encoding::Utf32Le), (1, 2, 3));
    }

    #[test]
    fn counting_in_pieces_is_counting_at_once() {
        let text = "\u{feff}one\n\ttwo \u{1f600} \u{e9}\r\nthree \u{1f600}".as_bytes();
        for cut in (4..text.len()).filter(|&cut| !is_cut(text, cut)) {
            let mut mark = Mark::START;
            mark.advance(&text[..cut], Encoding::Utf8);
            mark.advance(&text[cut..], Encoding::Utf8);
            let mut whole = Mark::START;
            whole.advance(text, Encoding::Utf8);
            assert_eq!(mark, whole, "cut at {cut}");
        }
    }

    #[test]
    fn counts_invalid_bytes_like_lossy_decoding() {
        // All mixtures of ASCII, characters of two to four bytes, cut ones and stray bytes, in lines of many lengths.
        let pieces: [&[u8]; 7] = [
            b"plain",
            "\u{e9}".as_bytes(),
            "\u{4e00}".as_bytes(),
            "\u{1f600}".as_bytes(),
            b"\xE4\xB8",
            b"\x80",
            b"\xFF\0",
        ];
        for seed in 0..2000 {
            let length = 1 + seed % 97;
            let line: Vec<u8> = (0..length)
                .flat_map(|at| pieces[(scattered(seed << 8 | at) % 7) as usize])
                .copied()
                .collect();
            let decoded = String::from_utf8_lossy(&line);
            let right = (1, decoded.chars().count() as u64, decoded.encode_utf16().count() as u64);
            assert_eq!(mark(&line, Encoding::Utf8), right, "{line:?}");
        }
    }

    #[test]
    fn encodings_are_guessed_from_marks_and_zeros() {
        assert_eq!(Encoding::guess(b"plain"), Encoding::Utf8);
        assert_eq!(Encoding::guess(b"\xFF\xFEa\0"), Encoding::Utf16Le);
        assert_eq!(Encoding::guess(b"\xFE\xFF\0a"), Encoding::Utf16Be);
        assert_eq!(Encoding::guess(b"k\0e\0y\0=\0v\0"), Encoding::Utf16Le);
        assert_eq!(Encoding::guess(b"\0k\0e\0y\0=\0v"), Encoding::Utf16Be);
        assert_eq!(Encoding::guess(b"\xFF\xFE\0\0a\0\0\0"), Encoding::Utf32Le);
        assert_eq!(Encoding::guess(b"k\0\0\0e\0\0\0y\0\0\0"), Encoding::Utf32Le);
        assert_eq!(Encoding::guess(b"\0\0\0k\0\0\0e\0\0\0y"), Encoding::Utf32Be);
        assert_eq!(Encoding::guess(&[0; 64]), Encoding::Utf8);
    }

    /// Text as UTF-16, with the bytes of each unit in this order.
    fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    /// Text as UTF-32, with the bytes of each unit in this order.
    fn utf32(text: &str, order: fn(u32) -> [u8; 4]) -> Vec<u8> {
        text.chars().flat_map(|character| order(character.into())).collect()
    }

    /// 256 numbers of 32 bits in both byte orders.
    fn tables(number: impl Fn(u32) -> u32) -> [Vec<u8>; 2] {
        let numbers = || (0..256).map(&number);
        [numbers().flat_map(u32::to_le_bytes).collect(), numbers().flat_map(u32::to_be_bytes).collect()]
    }

    /// Numbers without a pattern, the same in each run.
    fn scattered(seed: u32) -> u32 {
        let mixed = seed.wrapping_mul(0x9E37_79B9) ^ seed.wrapping_mul(0x85EB_CA6B).rotate_left(13);
        (mixed ^ mixed >> 15).wrapping_mul(0xC2B2_AE35)
    }

    #[test]
    fn guesses_wide_text_of_many_alphabets() {
        let texts = [
            "k=v\n",
            "key = value\r\n",
            "\u{1b}[31merror\u{1b}[0m: no such file\r\n",
            "PATH=/usr/local/bin:/usr/bin\0HOME=/home/somebody\0",
            "nombre = \"año único\"\r\nprix = 12 €; naïveté, déjà vu\r\n",
            "Größe: 12 µm, Straße, Ångström, smørrebrød\n",
            "api_key=value # это ключ\n",
            "user = Γιώργος; name = value\r\n",
            "name=値 # 設定ファイル\r\n",
            "key=val 열쇠 password=secret\n",
            "status: ok 😀 and more text 🎉\r\n",
            "ab\tשלום cd = ef\n",
        ];
        for text in texts {
            for count in [1, 2, 7, 300] {
                let text = text.repeat(count);
                let (little, big) = (utf16(&text, u16::to_le_bytes), utf16(&text, u16::to_be_bytes));
                if little.len() >= 8 {
                    assert_eq!(Encoding::guess(&little), Encoding::Utf16Le, "{text:?}");
                    assert_eq!(Encoding::guess(&big), Encoding::Utf16Be, "{text:?}");
                }
                let (little, big) = (utf32(&text, u32::to_le_bytes), utf32(&text, u32::to_be_bytes));
                assert_eq!(Encoding::guess(&little), Encoding::Utf32Le, "{text:?}");
                assert_eq!(Encoding::guess(&big), Encoding::Utf32Be, "{text:?}");
            }
        }
    }

    #[test]
    fn takes_no_table_of_numbers_for_wide_text() {
        let mut wrong = Vec::new();
        let mut check = |name: &str, bytes: &[u8]| match Encoding::guess(bytes) {
            Encoding::Utf8 => {}
            other => wrong.push(format!("{name}: {other:?}")),
        };
        for (name, step) in [("bytes", 1), ("words", 4), ("members", 0x137), ("pages", 0x1000)] {
            for high in 0..=0xFF {
                let table = tables(|at| (high << 16) + 0x1223 + at * step);
                check(&format!("{name} from {high:#x}0000, little"), &table[0]);
                check(&format!("{name} from {high:#x}0000, big"), &table[1]);
            }
        }
        for bits in 1..=32 {
            let table = tables(|at| scattered(at) >> (32 - bits));
            check(&format!("{bits} random bits, little"), &table[0]);
            check(&format!("{bits} random bits, big"), &table[1]);
        }
        for high in 0..=0xFF {
            let table = tables(|at| high << 16 | scattered(at) >> 16);
            check(&format!("random from {high:#x}0000, little"), &table[0]);
            check(&format!("random from {high:#x}0000, big"), &table[1]);
        }
        let floats: [fn(f32) -> f32; 4] = [|n| n, |n| n / 256.0, |n| n * 1000.5, f32::sqrt];
        for (place, float) in floats.into_iter().enumerate() {
            let table = tables(|at| float(at as f32).to_bits());
            check(&format!("floats {place}, little"), &table[0]);
            check(&format!("floats {place}, big"), &table[1]);
        }
        // Samples of sound and indices: numbers of 16 bits, most of them small.
        for bits in 4..=16 {
            let samples = (0..512).map(|at| (scattered(at) >> (32 - bits)) as u16);
            check(
                &format!("samples of {bits} bits, little"),
                &samples.clone().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
            );
            check(
                &format!("samples of {bits} bits, big"),
                &samples.flat_map(u16::to_be_bytes).collect::<Vec<_>>(),
            );
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn takes_no_index_of_a_library_for_wide_text() {
        for offset in (0..=0x80).map(|high| high << 16) {
            let mut library =
                b"!<arch>\n/               0           0     0     0       12004     `\n".to_vec();
            library
                .extend(tables(|at| if at == 0 { 3000 } else { offset + 0x1223 + at / 3 * 0x137 })[1].iter());
            assert_eq!(Encoding::guess(&library), Encoding::Utf8, "members from {offset:#x}");
        }
    }

    #[test]
    fn takes_no_python_bytecode_for_wide_text() {
        let mut bytecode = b"\xCB\r\r\n\0\0\0\0\x80\x16\xCF\x12\r\x57\0\0\xE3".to_vec();
        bytecode.extend([0; 15]);
        bytecode.extend((0..600).flat_map(|at| [b'd', (scattered(at) % 6) as u8]));
        assert_eq!(Encoding::guess(&bytecode), Encoding::Utf8);
    }

    #[test]
    fn what_could_command_a_terminal_is_escaped() {
        assert_eq!(printable(b"a\x1b[31m\n::error::\xff"), "a\\x1b[31m\\n::error::\\xff");
        assert_eq!(printable("\u{202e}\u{200b}\u{9b}é".as_bytes()), "\\u{202e}\\u{200b}\\x9bé");
    }

    #[test]
    fn wide_text_is_read_with_the_way_back() {
        let view = Encoding::Utf16Le.view(b"a\0\x3D\xD8\x00\xDE\xe9\0\x00\xD8");
        assert_eq!(view.text, "a\u{1f600}é\u{fffd}".as_bytes());
        assert_eq!((view.written(&(0..1)), view.written(&(1..5)), view.written(&(5..7))), (0..2, 2..6, 6..8));
        assert_eq!((view.start(10), view.position(6), view.position(7)), (10, 5, 7));
        let long = "a long line with one é and one \u{1f600} in it, and no more".encode_utf16();
        let long: Vec<u8> = long.flat_map(u16::to_le_bytes).collect();
        for border in 0..long.len() + 2 {
            let view = Encoding::Utf16Le.view(&long);
            let (text, own, next) = Encoding::Utf16Le.text(&long, border);
            let position = view.position(border);
            assert_eq!((text, own, next), (view.text.clone(), position, view.start(position)), "{border}");
        }
        assert_eq!(Encoding::Utf32Be.view(b"\0\0\0a\0\x01\xf6\0").text, "a\u{1f600}".as_bytes());
        assert_eq!(Encoding::Utf32Le.view(b"a\0\0\0b\0\0").text, b"a");
    }

    #[test]
    fn a_view_of_a_view_leads_to_the_first() {
        let outer = Encoding::Utf16Le.view(b"a\0b\0c\0");
        let mut inner = View::default();
        inner.push(b'X', 0..2);
        inner.push(b'Y', 2..3);
        let both = inner.within(&outer);
        assert_eq!((both.written(&(0..1)), both.written(&(0..2)), both.written(&(1..2))), (0..4, 0..6, 4..6));
    }
}
