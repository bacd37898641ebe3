//! Encodings of whole files: guesses UTF-16 and UTF-32, and decodes them to UTF-8.
//!
//! A guess adds a decoded text and never replaces the bytes as they are. So a wrong guess moves lines and columns, and hides no key.

use super::mapped_text::MappedText;

/// The number of first bytes of a file that are read for a guess.
const GUESS_BYTES: usize = 1024;

/// The number of units that are checked for ASCII together.
const ASCII_BLOCK_UNITS: usize = 16;

/// The encoding of a file's text. Other encodings than UTF-16 and UTF-32 are not distinguished.
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

/// Text that was decoded from UTF-16 or UTF-32.
#[derive(Debug, PartialEq, Eq)]
pub struct WideText {
    /// The text, in UTF-8.
    pub text: Vec<u8>,
    /// The length of the text whose source begins before the border, in bytes.
    pub own_len: usize,
    /// The offset of the source of the text behind that.
    pub continue_at: usize,
}

impl Encoding {
    /// Guesses the encoding from the first bytes of a file: by the byte order mark, or else by what the bytes decode to.
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
        let head = &head[..head.len().min(GUESS_BYTES)];
        // If 40 % of the units are ASCII, a fifth of the bytes is zero. Few other files have that many.
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
        // The ASCII characters in even and in odd units.
        let mut ascii_counts = [0, 0];
        let mut non_text_count = 0;
        for (at, unit) in self.units(bytes).enumerate() {
            match unit {
                // Control characters that occur in text: BEL to CR, and ESC, as in `file` (encoding.c).
                0x07..=0x0D | 0x1B | 0x20..=0x7E => ascii_counts[at % 2] += 1,
                0x00..=0x9F | 0xE000..=0xF8FF | 0xFFFE..=0xFFFF | 0x11_0000.. => non_text_count += 1,
                _ => {}
            }
            if non_text_count * 20 > units {
                return false;
            }
        }
        let [even, odd] = ascii_counts.map(|count: usize| count * 100 / units);
        even + odd >= 40 && even.min(odd) >= 5
    }

    /// The length of a unit in bytes: 1, 2 or 4.
    #[must_use]
    pub fn unit(self) -> usize {
        match self {
            Encoding::Utf8 => 1,
            Encoding::Utf16Le | Encoding::Utf16Be => 2,
            Encoding::Utf32Le | Encoding::Utf32Be => 4,
        }
    }

    /// The encoding with the bytes of each unit in the other order.
    #[must_use]
    pub fn other_order(self) -> Encoding {
        match self {
            Encoding::Utf8 => Encoding::Utf8,
            Encoding::Utf16Le => Encoding::Utf16Be,
            Encoding::Utf16Be => Encoding::Utf16Le,
            Encoding::Utf32Le => Encoding::Utf32Be,
            Encoding::Utf32Be => Encoding::Utf32Le,
        }
    }

    /// Whether the low byte of a unit comes first (little endian).
    #[must_use]
    pub fn is_low_first(self) -> bool {
        matches!(self, Encoding::Utf16Le | Encoding::Utf32Le)
    }

    /// The offset of the low byte in a unit.
    fn low_byte(self) -> usize {
        if self.is_low_first() { 0 } else { self.unit() - 1 }
    }

    /// The units of text, as numbers.
    pub(super) fn units(self, bytes: &[u8]) -> impl Iterator<Item = u32> {
        bytes.chunks_exact(self.unit()).map(move |unit| {
            let append = |value: u32, &byte: &u8| value << 8 | u32::from(byte);
            if self.is_low_first() { unit.iter().rev().fold(0, append) } else { unit.iter().fold(0, append) }
        })
    }

    /// Decodes `bytes`, which begin at a whole unit, to the text of [`Encoding::decode`]. `border` is an offset in `bytes`.
    #[must_use]
    pub fn text(self, bytes: &[u8], border: usize) -> WideText {
        if self == Encoding::Utf8 {
            let own_len = border.min(bytes.len());
            return WideText { text: bytes.to_vec(), own_len, continue_at: own_len };
        }
        let block_len = ASCII_BLOCK_UNITS * self.unit();
        let mut text = Vec::with_capacity(bytes.len() / self.unit());
        let mut own_end = None;
        let mut at = 0;
        while at + self.unit() <= bytes.len() {
            if own_end.is_none() && at >= border {
                own_end = Some((text.len(), at));
            }
            // Nearly all text is ASCII. A block across the border is decoded unit by unit.
            let is_on_one_side = own_end.is_some() || at + block_len <= border;
            if is_on_one_side
                && let Some(block) = bytes[at..].get(..block_len)
                && self.is_ascii(block)
            {
                text.extend(block.iter().skip(self.low_byte()).step_by(self.unit()));
                at += block_len;
                continue;
            }
            let (character, unit_count) = self.first_character(&bytes[at..]);
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            at += unit_count * self.unit();
        }
        let (own_len, continue_at) = own_end.unwrap_or((text.len(), at));
        WideText { text, own_len, continue_at }
    }

    /// The first character of `bytes`, and the number of its units. U+FFFD if the first unit is not text.
    fn first_character(self, bytes: &[u8]) -> (char, usize) {
        let mut units = self.units(bytes);
        let character = match self {
            Encoding::Utf16Le | Encoding::Utf16Be => {
                let units = units.map(|unit| u16::try_from(unit).unwrap_or_default());
                char::decode_utf16(units).next().and_then(Result::ok)
            }
            _ => units.next().and_then(char::from_u32),
        };
        match character {
            Some(character) if self.unit() == 2 => (character, character.len_utf16()),
            Some(character) => (character, 1),
            None => (char::REPLACEMENT_CHARACTER, 1),
        }
    }

    /// Whether all units are ASCII characters.
    fn is_ascii(self, bytes: &[u8]) -> bool {
        (0..self.unit()).all(|offset| {
            let all_bits = bytes.iter().skip(offset).step_by(self.unit()).fold(0, |all, byte| all | byte);
            all_bits <= if offset == self.low_byte() { 0x7F } else { 0 }
        })
    }

    /// Decodes `bytes`, which begin at a whole unit, with a source map. Units that are not text become U+FFFD.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> MappedText {
        let mut mapped = MappedText::with_capacity(bytes.len() / self.unit());
        let mut at = 0;
        let mut push = |character: Result<char, _>, units: usize| {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            let end = at + units * self.unit();
            mapped.push_char(character, &(at..end));
            at = end;
        };
        match self {
            Encoding::Utf8 => mapped.push_part(bytes, 0..bytes.len()),
            Encoding::Utf16Le | Encoding::Utf16Be => {
                let units = self.units(bytes).map(|unit| u16::try_from(unit).unwrap_or_default());
                char::decode_utf16(units).for_each(|character| {
                    let units = character.as_ref().map_or(1, |character| character.len_utf16());
                    push(character.map_err(drop), units);
                });
            }
            Encoding::Utf32Le | Encoding::Utf32Be => {
                self.units(bytes).for_each(|unit| push(char::try_from(unit).map_err(drop), 1));
            }
        }
        mapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_encodings_from_marks_and_zeros() {
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

    /// A pseudo-random number for each seed.
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
        let mut wrong_guesses = Vec::new();
        let mut check = |name: &str, bytes: &[u8]| match Encoding::guess(bytes) {
            Encoding::Utf8 => {}
            other => wrong_guesses.push(format!("{name}: {other:?}")),
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
        for (number, float) in floats.into_iter().enumerate() {
            let table = tables(|at| float(at as f32).to_bits());
            check(&format!("floats {number}, little"), &table[0]);
            check(&format!("floats {number}, big"), &table[1]);
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
        assert!(wrong_guesses.is_empty(), "{wrong_guesses:#?}");
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
    fn decodes_wide_text_with_source_map() {
        let mapped = Encoding::Utf16Le.decode(b"a\0\x3D\xD8\x00\xDE\xe9\0\x00\xD8");
        assert_eq!(mapped.text, "a\u{1f600}é\u{fffd}".as_bytes());
        assert_eq!(
            (mapped.written(&(0..1)), mapped.written(&(1..5)), mapped.written(&(5..7))),
            (0..2, 2..6, 6..8)
        );
        assert_eq!((mapped.start(10), mapped.position(6), mapped.position(7)), (10, 5, 7));
        let long = "a long line with one é and one \u{1f600} in it, and no more".encode_utf16();
        let long: Vec<u8> = long.flat_map(u16::to_le_bytes).collect();
        for border in 0..long.len() + 2 {
            let mapped = Encoding::Utf16Le.decode(&long);
            let wide = Encoding::Utf16Le.text(&long, border);
            let position = mapped.position(border);
            let expected = WideText {
                text: mapped.text.clone(),
                own_len: position,
                continue_at: mapped.start(position),
            };
            assert_eq!(wide, expected, "{border}");
        }
        assert_eq!(Encoding::Utf32Be.decode(b"\0\0\0a\0\x01\xf6\0").text, "a\u{1f600}".as_bytes());
        assert_eq!(Encoding::Utf32Le.decode(b"a\0\0\0b\0\0").text, b"a");
    }
}
