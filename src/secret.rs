//! The secret after it was found: a mask for people and a fingerprint for programs. The bytes are gone, so nothing
//! that holds a [`Secret`] can print the key.

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::ops::Range;

/// How many characters of a secret may be shown behind its prefix.
pub const SHOWN: usize = 4;

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

/// How many bytes of a secret may be shown: its prefix and at most four characters, and never more than half of it.
#[must_use]
pub fn shown(length: usize, prefix: usize) -> usize {
    (prefix + SHOWN).min(length / 2)
}

/// Masks a secret: its prefix, at most four characters, an ellipsis. What is not ASCII is not shown.
#[must_use]
pub fn mask(bytes: &[u8], prefix: usize) -> String {
    mask_behind(bytes, shown(bytes.len(), prefix))
}

/// Masks all of a text but its first `shown` bytes. Of those, what is not ASCII is not shown.
#[must_use]
pub fn mask_behind(bytes: &[u8], shown: usize) -> String {
    let as_char = |&byte: &u8| if byte.is_ascii_graphic() { char::from(byte) } else { '?' };
    let mut text: String = bytes[..shown].iter().map(as_char).collect();
    text.push('…');
    text
}

/// The shape of a secret.
struct Shape {
    prefix: &'static [u8],
    /// How many characters follow the prefix.
    body_length: usize,
    is_body: fn(&u8) -> bool,
}

/// The secrets of the vendor, for masking where no rule is at hand (`rules/sixtyfour_api_key.toml` and
/// `rules/sixtyfour_webhook_secret.toml` say where the shapes come from).
const SHAPES: [Shape; 2] = [
    Shape { prefix: b"api_", body_length: 32, is_body: u8::is_ascii_alphanumeric },
    Shape { prefix: b"sk_whsec_", body_length: 64, is_body: u8::is_ascii_hexdigit },
];

/// Where text has the shape of one of the vendor's secrets, and the length of its prefix. What stands around it does not
/// matter, and what follows it without a gap belongs to it.
#[must_use]
pub fn shapes(text: &[u8]) -> Vec<(Range<usize>, usize)> {
    let mut found: Vec<(Range<usize>, usize)> = Vec::new();
    for Shape { prefix, body_length, is_body } in SHAPES {
        for start in memchr::memmem::find_iter(text, prefix) {
            let body = &text[start + prefix.len()..];
            if body.iter().take_while(|byte| is_body(byte)).count() >= body_length {
                let length = body.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                found.push((start..start + prefix.len() + length, prefix.len()));
            }
        }
    }
    found.sort_by_key(|(span, _)| span.start);
    found
}

/// A run of letters and digits that is at least this long, and has lower case, upper case and a digit, is masked in text
/// that is quoted from a file: it may be (a part of) a secret that no rule knows. Shorter ones are mostly names.
const MIN_RANDOM_RUN: usize = 12;

/// As long as the body of a key. A random one without a digit is rare (one in 300), and still a secret.
const MIN_LONG_RUN: usize = 32;

/// As long as the body of a webhook secret.
const MIN_HEX_RUN: usize = 64;

/// Whether a run of letters and digits may be the body of a secret, or a part of one, whatever stands before it.
#[must_use]
pub fn is_random_run(run: &[u8]) -> bool {
    let any = |class: fn(&u8) -> bool| run.iter().any(class);
    let has_both_cases = || any(u8::is_ascii_lowercase) && any(u8::is_ascii_uppercase);
    let is_long = run.len() >= MIN_LONG_RUN || run.len() >= MIN_RANDOM_RUN && any(u8::is_ascii_digit);
    is_long && has_both_cases() || run.len() >= MIN_HEX_RUN && run.iter().all(u8::is_ascii_hexdigit)
}

/// Masks what has the shape of a secret in a path, a ref, an id or a message. Each masked byte becomes one asterisk, so that
/// offsets stay true.
#[must_use]
pub fn mask_shapes(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    for (span, prefix) in shapes(text) {
        out[span.start + prefix + SHOWN..span.end].fill(b'*');
    }
    out
}

/// A token of a file of settings that is at least this long is masked.
const MIN_TOKEN: usize = 16;

/// Masks every long run of letters, digits and `_-+/=` that has both a letter and a digit, and every run that may be a part of
/// a secret ([`is_random_run`]). For files of settings, where no credential belongs. Each masked byte becomes one asterisk.
#[must_use]
pub fn mask_tokens(text: &str) -> String {
    let mut bytes = mask_shapes(text.as_bytes());
    for run in bytes.chunk_by_mut(|a, b| a.is_ascii_alphanumeric() == b.is_ascii_alphanumeric()) {
        if is_random_run(run) {
            run[SHOWN..].fill(b'*');
        }
    }
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+/=".contains(byte);
    for run in bytes.chunk_by_mut(|a, b| is_token(a) == is_token(b)) {
        let any = |class: fn(&u8) -> bool| run.iter().any(class);
        if run.len() >= MIN_TOKEN && any(u8::is_ascii_alphabetic) && any(u8::is_ascii_digit) {
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
    fn random_run_is_no_name() {
        for run in ["aB3aB3aB3aB3", &"aB".repeat(16), &"0f".repeat(32)] {
            assert!(is_random_run(run.as_bytes()), "{run}");
        }
        for run in ["aB3aB3aB3aB", "SixtyfourClientFactory", "sixtyfour2025key", &"0f".repeat(31), ""] {
            assert!(!is_random_run(run.as_bytes()), "{run}");
        }
    }

    #[test]
    fn masks_only_whole_secret_in_path() {
        let path = format!("src/api_ClientGeneratedV2Models.ts/api_{}", "Q7".repeat(15));
        assert_eq!(mask_shapes_in(&path), path);
        let secret = format!("sk_whsec_{}", "0f".repeat(32));
        assert_eq!(mask_shapes_in(&secret), format!("sk_whsec_0f0f{}", "*".repeat(60)));
    }

    #[test]
    fn shapes_are_masked_in_place() {
        let text = format!("x api_{} y", "Q7".repeat(16));
        let masked = mask_shapes_in(&text);
        assert_eq!(masked, format!("x api_Q7Q7{} y", "*".repeat(28)));
        assert_eq!(mask_shapes_in("api_completion"), "api_completion");
    }
}
