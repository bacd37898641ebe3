//! Templates: text with placeholders such as `{key}`, which are filled with random text from a seed.
//!
//! Examples and tests are templates, so no file of the project has a key in it, not even an invented one. The same template and seed
//! always give the same text.

use memchr::memchr;
use std::ops::Range;

/// Letters and digits.
const BASE62: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Fills in the placeholders of `template`. The same seed gives the same text, and the same placeholder the same value.
///
/// | placeholder | filled with |
/// |---|---|
/// | `{key}`, `{key:2}` | an API key: `api_` and 32 letters and digits; another one for each number |
/// | `{webhook_secret}` | `sk_whsec_` and 64 hexadecimal digits |
/// | `{base62:N}` `{base64:N}` `{base32:N}` `{hex:N}` `{HEX:N}` `{digits:N}` `{lower:N}` `{upper:N}` | N random characters, new ones for each placeholder |
/// | `{base64:key}` | the key in base64 |
/// | `{uuid}` | a random UUID |
/// | `{repeat:TEXT:N}` | TEXT again and again, N characters in all |
/// | `{-}` | nothing: keeps text that looks like a key from being written out |
///
/// Any other brace stays as it is.
#[must_use]
pub fn expand(template: &str, seed: u64) -> String {
    expand_and_mark(template, seed).0
}

/// [`expand`], with the range of each placeholder in the result.
#[must_use]
pub fn expand_and_mark(template: &str, seed: u64) -> (String, Vec<Range<usize>>) {
    let mut random = Random::new(seed);
    let mut out = String::with_capacity(template.len() + 64);
    let mut filled = Vec::new();
    let mut rest = template;
    while let Some(Split { before, placeholder, after }) = split_at_placeholder(rest) {
        out.push_str(before);
        let text = placeholder.fill(seed, &mut random);
        if !text.is_empty() {
            filled.push(out.len()..out.len() + text.len());
        }
        out.push_str(&text);
        rest = after;
    }
    out.push_str(rest);
    (out, filled)
}

/// The maximum number of bytes that `template` expands to. A number that is too large for this machine counts as the largest one.
#[must_use]
pub fn expanded_max_bytes(template: &str) -> usize {
    let mut rest = template;
    let mut bytes = 0_usize;
    while let Some(Split { before, placeholder, after }) = split_at_placeholder(rest) {
        bytes = bytes.saturating_add(before.len()).saturating_add(placeholder.max_bytes());
        rest = after;
    }
    bytes.saturating_add(rest.len())
}

/// The key that replaces `{key:NUMBER}` (`{key}` is number 0).
#[must_use]
pub fn key(seed: u64, number: u64) -> String {
    let mut random = Random::new(seed ^ 0x5eed_0000 ^ (number << 40));
    format!("api_{}", random.text(BASE62, 32))
}

/// The webhook secret that replaces `{webhook_secret}`.
#[must_use]
pub fn webhook_secret(seed: u64) -> String {
    format!("sk_whsec_{}", Random::new(seed ^ 0x5ec2_e700).text(b"0123456789abcdef", 64))
}

/// A placeholder in a template.
enum Placeholder<'t> {
    Nothing,
    Key(u64),
    WebhookSecret,
    Base64Key,
    Uuid,
    /// A text that is repeated, up to a length in characters.
    Repeat {
        text: &'t str,
        length: usize,
    },
    /// Random characters of an alphabet.
    Random {
        alphabet: &'static [u8],
        length: usize,
    },
}

/// The maximum length of a placeholder. Without a limit, a text of open braces would be searched again from each of them.
const MAX_PLACEHOLDER_BYTES: usize = 1024;

/// A template, split at its first placeholder.
struct Split<'t> {
    before: &'t str,
    placeholder: Placeholder<'t>,
    after: &'t str,
}

/// Splits a template at its first placeholder. `None` if there is no placeholder. Braces around other text are text.
fn split_at_placeholder(template: &str) -> Option<Split<'_>> {
    let mut searched_to = 0;
    loop {
        let start = searched_to + template[searched_to..].find('{')? + 1;
        let inside = &template.as_bytes()[start..];
        if let Some(length) = memchr(b'}', &inside[..inside.len().min(MAX_PLACEHOLDER_BYTES)])
            && let Some(placeholder) = Placeholder::parse(&template[start..start + length])
        {
            let (before, after) = (&template[..start - 1], &template[start + length + 1..]);
            return Some(Split { before, placeholder, after });
        }
        searched_to = start;
    }
}

impl<'t> Placeholder<'t> {
    /// The placeholder whose braces enclose `inside`. `None` if it is none.
    fn parse(inside: &'t str) -> Option<Placeholder<'t>> {
        let (word, argument) = inside.split_once(':').unwrap_or((inside, ""));
        match (word, argument) {
            ("-", "") => return Some(Placeholder::Nothing),
            ("key", "") => return Some(Placeholder::Key(0)),
            ("webhook_secret", "") => return Some(Placeholder::WebhookSecret),
            ("base64", "key") => return Some(Placeholder::Base64Key),
            ("uuid", "") => return Some(Placeholder::Uuid),
            ("repeat", argument) => {
                let (text, length) = argument.rsplit_once(':')?;
                return Some(Placeholder::Repeat { text, length: number(length)? });
            }
            _ => {}
        }
        let length = number(argument)?;
        let alphabet: &[u8] = match word {
            "key" => return Some(Placeholder::Key(length as u64)),
            "base62" => BASE62,
            "base64" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
            "base32" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
            "hex" => b"0123456789abcdef",
            "HEX" => b"0123456789ABCDEF",
            "digits" => b"0123456789",
            "lower" => b"abcdefghijklmnopqrstuvwxyz",
            "upper" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            _ => return None,
        };
        Some(Placeholder::Random { alphabet, length })
    }

    /// The maximum number of bytes that it is filled with.
    fn max_bytes(&self) -> usize {
        match self {
            Placeholder::Nothing => 0,
            Placeholder::Key(_) => 36,
            Placeholder::WebhookSecret => 73,
            Placeholder::Base64Key => 48,
            Placeholder::Uuid => 36,
            Placeholder::Repeat { text, length } => {
                length.saturating_mul(text.chars().map(char::len_utf8).max().unwrap_or(0))
            }
            Placeholder::Random { length, .. } => *length,
        }
    }

    /// The text that replaces it. A key depends on the seed alone, other text on what was filled before.
    fn fill(&self, seed: u64, random: &mut Random) -> String {
        match self {
            Placeholder::Nothing => String::new(),
            Placeholder::Key(number) => key(seed, *number),
            Placeholder::WebhookSecret => webhook_secret(seed),
            Placeholder::Base64Key => base64(key(seed, 0).as_bytes()),
            Placeholder::Uuid => {
                [8, 4, 4, 4, 12].map(|length| random.text(b"0123456789abcdef", length)).join("-")
            }
            Placeholder::Repeat { text, length } => text.chars().cycle().take(*length).collect(),
            Placeholder::Random { alphabet, length } => random.text(alphabet, *length),
        }
    }
}

/// The number in a placeholder. A number that is too large for this machine becomes the largest one. `None` if it is not a number.
fn number(digits: &str) -> Option<usize> {
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(usize::MAX))
}

/// The bytes in base64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for number in 0..4 {
            let digit = (word >> (18 - 6 * number)) & 63;
            out.push(if number <= chunk.len() { char::from(ALPHABET[digit as usize]) } else { '=' });
        }
    }
    out
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): small, and the same
/// everywhere.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Random characters of an alphabet.
    fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(alphabet[(self.next() % alphabet.len() as u64) as usize])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_placeholders_and_keeps_other_braces() {
        let text = expand("a {x} ${Y} {key} {key} {key:2} {hex:4} {repeat:ab:5} {-}{ {uuid}", 7);
        let words: Vec<_> = text.split(' ').collect();
        assert_eq!(&words[..3], ["a", "{x}", "${Y}"]);
        assert_eq!(words[3], key(7, 0));
        assert_eq!(words[3], words[4]);
        assert_eq!(words[5], key(7, 2));
        assert_ne!(words[3], words[5]);
        assert_eq!((words[6].len(), words[7]), (4, "ababa"));
        assert_eq!((words[8], words[9].len()), ("{", 36));
        assert_eq!(expand("{base62:9}", 1), expand("{base62:9}", 1));
        assert_ne!(expand("{base62:9}", 1), expand("{base62:9}", 2));
    }

    #[test]
    fn knows_the_size_before_it_expands() {
        for template in [
            "{key}{key:7}",
            "a{webhook_secret}{base64:key}b{uuid}",
            "{hex:9}{-}{lower:0}",
            "{x}{{}{repeat:ab:5}",
        ] {
            assert_eq!(expanded_max_bytes(template), expand(template, 3).len(), "{template}");
        }
        assert!(expanded_max_bytes("{repeat:\u{e9}a:3}") >= expand("{repeat:\u{e9}a:3}", 3).len());
        for word in [
            "base62",
            "base64",
            "base32",
            "hex",
            "HEX",
            "digits",
            "lower",
            "upper",
            "repeat:x",
            "repeat:\u{e9}",
        ] {
            for number in ["18446744073709551615", "18446744073709551616", "99999999999999999999999999"] {
                assert_eq!(
                    expanded_max_bytes(&format!("a{{{word}:{number}}}{{hex:2}}")),
                    usize::MAX,
                    "{word}"
                );
            }
        }
    }

    #[test]
    fn expands_many_open_braces_in_linear_time() {
        let text = format!("{}}}", "{".repeat(1 << 20));
        assert_eq!(expand(&text, 1), text);
    }

    #[test]
    fn base64_matches_rfc_4648() {
        assert_eq!(
            ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes())),
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
        );
    }
}
