//! The secret after it was found: a mask for people and a fingerprint for programs. The bytes are gone, so nothing
//! that holds a [`Secret`] can print the key.

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::ops::Range;

/// How many characters behind a known prefix may be shown.
const SHOWN: usize = 4;

/// What is kept of a found key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret {
    masked: String,
    fingerprint: Fingerprint,
}

impl Secret {
    /// Forgets `bytes`. `prefix` is the length of the part that every secret of the rule begins with and that is
    /// shown; of the rest at most four characters are. A `guessable` secret (one that is not random for certain)
    /// gets a short fingerprint, from which a guess cannot be confirmed.
    #[must_use]
    pub fn seal(rule: &str, bytes: &[u8], prefix: usize, guessable: bool) -> Secret {
        let hash = Sha256::new()
            .chain_update(b"sf-scan 1\0")
            .chain_update(rule)
            .chain_update(b"\0")
            .chain_update(bytes)
            .finalize();
        let length = if guessable { 3 } else { 8 };
        let fingerprint = hash[..length].iter().map(|byte| format!("{byte:02x}")).collect();
        Secret { masked: mask(bytes, prefix), fingerprint: Fingerprint(fingerprint) }
    }

    /// The prefix and at most four characters, then an ellipsis.
    #[must_use]
    pub fn masked(&self) -> &str {
        &self.masked
    }

    /// Which secret it is.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

/// Tells whether two findings are of the same secret: a truncated SHA-256 of rule and secret, in hexadecimal. It does
/// not depend on the place, so it survives moved lines, renamed files, rebases and squashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A UUID (of version 8, RFC 9562) that depends on these texts alone.
#[must_use]
pub fn uuid(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let mut bytes: [u8; 16] = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// Masks a secret: its prefix, at most four characters, an ellipsis. What is not ASCII is not shown.
#[must_use]
pub fn mask(bytes: &[u8], prefix: usize) -> String {
    let keep = (prefix + SHOWN).min(bytes.len() / 2);
    let mut text: String = bytes[..keep]
        .iter()
        .map(|&byte| if byte.is_ascii_graphic() { char::from(byte) } else { '?' })
        .collect();
    text.push('…');
    text
}

/// The prefixes that the vendor's secrets begin with, for masking where no rule is at hand.
const PREFIXES: [&[u8]; 2] = [b"api_", b"sk_whsec_"];

/// A run behind a prefix that is this long could be (a part of) a key.
const KEY_LIKE: usize = 16;

/// Where text looks like a key of the vendor, whole or cut, whatever stands around it.
#[must_use]
pub fn shapes(text: &[u8]) -> Vec<(Range<usize>, usize)> {
    let mut found: Vec<(Range<usize>, usize)> = Vec::new();
    for prefix in PREFIXES {
        for start in memchr::memmem::find_iter(text, prefix) {
            let body = start + prefix.len();
            let length = text[body..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            if length >= KEY_LIKE {
                found.push((start..body + length, prefix.len()));
            }
        }
    }
    found.sort_by_key(|(span, _)| span.start);
    found
}

/// Masks what looks like a key in a path, a message or a line of a configuration file. Each masked byte becomes one
/// asterisk, so that offsets stay true.
#[must_use]
pub fn mask_shapes(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    for (span, prefix) in shapes(text) {
        out[span.start + prefix + SHOWN..span.end].fill(b'*');
    }
    out
}

/// Masks every long run of letters, digits and `_-+/=` that has both a letter and a digit: whatever it is, it could be
/// a credential. For files of settings, where none belongs. Each masked byte becomes one asterisk.
#[must_use]
pub fn mask_tokens(text: &str) -> String {
    let mut bytes = mask_shapes(text.as_bytes());
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+/=".contains(byte);
    for run in bytes.chunk_by_mut(|a, b| is_token(a) == is_token(b)) {
        let any = |class: fn(&u8) -> bool| run.iter().any(class);
        if run.len() >= KEY_LIKE && any(u8::is_ascii_alphabetic) && any(u8::is_ascii_digit) {
            run[SHOWN..].fill(b'*');
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// [`mask_shapes`] of a string.
#[must_use]
pub fn mask_shapes_in(text: &str) -> String {
    String::from_utf8_lossy(&mask_shapes(text.as_bytes())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_characters_are_shown_and_never_more_than_half() {
        assert_eq!(mask(b"api_0123456789abcdef", 4), "api_0123…");
        assert_eq!(mask(b"0123456789", 0), "0123…");
        assert_eq!(mask(b"abc", 0), "a…");
        assert_eq!(mask(b"", 0), "…");
    }

    #[test]
    fn a_fingerprint_tells_secrets_and_rules_apart() {
        let print =
            |rule, bytes, guessable| Secret::seal(rule, bytes, 0, guessable).fingerprint().to_string();
        assert_eq!(print("a", b"x", false), print("a", b"x", false));
        assert_ne!(print("a", b"x", false), print("a", b"y", false));
        assert_ne!(print("a", b"x", false), print("b", b"x", false));
        assert_eq!(print("a", b"x", false).len(), 16);
        assert_eq!(print("a", b"x", true).len(), 6);
    }

    #[test]
    fn shapes_are_masked_in_place() {
        let text = format!("x api_{} y", "Q7".repeat(16));
        let masked = mask_shapes_in(&text);
        assert_eq!(masked, format!("x api_Q7Q7{} y", "*".repeat(28)));
        assert_eq!(mask_shapes_in("api_completion"), "api_completion");
    }
}
