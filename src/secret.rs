//! A secret after it was found: a mask for people and a fingerprint for programs. The bytes are gone, so no code that has a [`Secret`]
//! can print the key.
//!
//! The module also masks secrets in other text: in paths, messages and files of settings. Excerpts of scanned files are masked in
//! `detect/mask`.

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::ops::Range;

/// The maximum number of characters of a secret that are shown behind its prefix.
pub const SHOWN: usize = 4;

/// The length of a fingerprint, before it is written in hexadecimal.
const FINGERPRINT_BYTES: usize = 8;

/// The length of the fingerprint of a secret that may be guessed.
const GUESSABLE_FINGERPRINT_BYTES: usize = 3;

/// The mask and the fingerprint of a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret {
    masked: String,
    fingerprint: Fingerprint,
}

impl Secret {
    /// Masks and hashes the secret `bytes`, and keeps no copy. The first `prefix_len` bytes, which all secrets of the rule have in common,
    /// are shown, and at most four more.
    ///
    /// A `guessable` secret is one that may not be random. Its fingerprint is short, so that nobody can confirm a guess with it.
    #[must_use]
    pub fn seal(rule: &str, bytes: &[u8], prefix_len: usize, guessable: bool) -> Secret {
        let hash = Sha256::new()
            .chain_update(b"sf-scan 1\0")
            .chain_update(rule)
            .chain_update(b"\0")
            .chain_update(bytes)
            .finalize();
        let fingerprint_len = if guessable { GUESSABLE_FINGERPRINT_BYTES } else { FINGERPRINT_BYTES };
        let fingerprint = hash[..fingerprint_len].iter().map(|byte| format!("{byte:02x}")).collect();
        Secret { masked: mask(bytes, prefix_len), fingerprint: Fingerprint(fingerprint) }
    }

    /// The prefix and at most four characters, then an ellipsis.
    #[must_use]
    pub fn masked(&self) -> &str {
        &self.masked
    }

    /// The fingerprint, which is equal for equal secrets of one rule.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

/// A truncated SHA-256 of rule and secret, in hexadecimal. Two findings with the same fingerprint are of the same secret. It does not
/// depend on the place, so it survives moved lines, renamed files, rebases and squashes.
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
    // The version, 8, and the variant.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// The number of bytes of a secret that are shown: its prefix and at most four more, and never more than half of it.
#[must_use]
pub fn shown_len(secret_len: usize, prefix_len: usize) -> usize {
    (prefix_len + SHOWN).min(secret_len / 2)
}

/// Masks a secret: its prefix, at most four characters, and an ellipsis. Other bytes than printable ASCII become `?`.
#[must_use]
pub fn mask(bytes: &[u8], prefix_len: usize) -> String {
    mask_behind(bytes, shown_len(bytes.len(), prefix_len))
}

/// Shows the first `shown_len` bytes of a text, and an ellipsis for the rest. Other bytes than printable ASCII become `?`.
#[must_use]
pub fn mask_behind(bytes: &[u8], shown_len: usize) -> String {
    let as_char = |&byte: &u8| if byte.is_ascii_graphic() { char::from(byte) } else { '?' };
    let mut text: String = bytes[..shown_len].iter().map(as_char).collect();
    text.push('…');
    text
}

/// The shape of a secret.
struct Shape {
    prefix: &'static [u8],
    /// The number of characters behind the prefix.
    body_len: usize,
    is_body: fn(&u8) -> bool,
}

/// The shapes of the vendor's secrets, to mask text without the rules (`rules/sixtyfour_api_key.toml` and
/// `rules/sixtyfour_webhook_secret.toml` say where the shapes come from).
const SHAPES: [Shape; 2] = [
    Shape { prefix: b"api_", body_len: 32, is_body: u8::is_ascii_alphanumeric },
    Shape { prefix: b"sk_whsec_", body_len: 64, is_body: u8::is_ascii_hexdigit },
];

/// The ranges of text with the shape of one of the vendor's secrets, each with the length of its prefix. They need not be tokens. Letters and
/// digits directly behind the body belong to the range.
#[must_use]
pub fn shapes(text: &[u8]) -> Vec<(Range<usize>, usize)> {
    let mut found: Vec<(Range<usize>, usize)> = Vec::new();
    for Shape { prefix, body_len, is_body } in SHAPES {
        for start in memchr::memmem::find_iter(text, prefix) {
            let body = &text[start + prefix.len()..];
            if body.iter().take_while(|byte| is_body(byte)).count() >= body_len {
                let length = body.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                found.push((start..start + prefix.len() + length, prefix.len()));
            }
        }
    }
    found.sort_by_key(|(span, _)| span.start);
    found
}

/// The minimum length of a run of letters and digits that looks random, if it has both cases and a digit. Shorter ones are mostly names.
const MIN_RANDOM_RUN_LEN: usize = 12;

/// The minimum length of a run that looks random without a digit: the body of a key. One random key in 300 has no digit.
const MIN_LONG_RUN_LEN: usize = 32;

/// The minimum length of a run of hexadecimal digits that looks random: the body of a webhook secret.
const MIN_HEX_RUN_LEN: usize = 64;

/// The minimum length of a run without a digit that looks random because of its upper and lower case.
const MIN_MIXED_CASE_RUN_LEN: usize = 16;

/// Whether a run of letters and digits may be a secret's body or a part of one. The text around it does not matter, and the
/// secret may be of a kind that no rule knows. Names rarely have digits amid letters of both cases.
#[must_use]
pub fn is_random_run(run: &[u8]) -> bool {
    let has = |class: fn(&u8) -> bool| run.iter().any(class);
    if run.len() >= MIN_HEX_RUN_LEN && run.iter().all(u8::is_ascii_hexdigit) {
        return true;
    }
    has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && (run.len() >= MIN_LONG_RUN_LEN
            || run.len() >= MIN_RANDOM_RUN_LEN && has(u8::is_ascii_digit)
            || run.len() >= MIN_MIXED_CASE_RUN_LEN && has_random_case(run))
}

/// Whether the case of the letters looks random: it changes at a third of them, or a third of them are of each case.
///
/// A name has an upper case letter for each word. `SixtyfourClientFactory` has 3 in 22 letters, and 5 changes.
fn has_random_case(run: &[u8]) -> bool {
    let upper = run.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    let changes = run.windows(2).filter(|pair| pair[0].is_ascii_uppercase() != pair[1].is_ascii_uppercase());
    3 * changes.count() >= run.len() || 3 * upper.min(run.len() - upper) >= run.len()
}

/// Masks text with the shape of a secret in a path, a ref, an id or a message. Each masked byte becomes one asterisk, so that offsets
/// stay valid.
#[must_use]
pub fn mask_shapes(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    for (span, prefix_len) in shapes(text) {
        out[span.start + prefix_len + SHOWN..span.end].fill(b'*');
    }
    out
}

/// The minimum length of a token that is masked in a file of settings.
const MIN_TOKEN_LEN: usize = 16;

/// Masks every long run of letters, digits and `_-+/=` that has a letter and a digit, and every run that looks random
/// ([`is_random_run`]). For files of settings, in which there should be no credentials. Each masked byte becomes one asterisk.
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
        let has = |class: fn(&u8) -> bool| run.iter().any(class);
        if run.len() >= MIN_TOKEN_LEN && has(u8::is_ascii_alphabetic) && has(u8::is_ascii_digit) {
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
    fn shows_four_characters_and_never_more_than_half() {
        assert_eq!(mask(b"api_0123456789abcdef", 4), "api_0123…");
        assert_eq!(mask(b"0123456789", 0), "0123…");
        assert_eq!(mask(b"abc", 0), "a…");
        assert_eq!(mask(b"", 0), "…");
    }

    #[test]
    fn fingerprint_differs_by_secret_and_by_rule() {
        let fingerprint =
            |rule, bytes, guessable| Secret::seal(rule, bytes, 0, guessable).fingerprint().to_string();
        assert_eq!(fingerprint("a", b"x", false), fingerprint("a", b"x", false));
        assert_ne!(fingerprint("a", b"x", false), fingerprint("a", b"y", false));
        assert_ne!(fingerprint("a", b"x", false), fingerprint("b", b"x", false));
        assert_eq!(fingerprint("a", b"x", false).len(), 16);
        assert_eq!(fingerprint("a", b"x", true).len(), 6);
    }

    #[test]
    fn names_do_not_look_random() {
        let letters = "ZArJIlKWLThhafprvbBGcjqzyAHxkr";
        for run in ["aB3aB3aB3aB3", letters, &"aB".repeat(16), &"0f".repeat(32)] {
            assert!(is_random_run(run.as_bytes()), "{run}");
        }
        for run in [
            "aB3aB3aB3aB",
            "SixtyfourClientFactory",
            "qWcRtzUIpaSdfGH",
            "sixtyfour2025key",
            &"0f".repeat(31),
            "",
        ] {
            assert!(!is_random_run(run.as_bytes()), "{run}");
        }
    }

    #[test]
    fn masks_only_whole_secrets_in_a_path() {
        let path = format!("src/api_ClientGeneratedV2Models.ts/api_{}", "Q7".repeat(15));
        assert_eq!(mask_shapes_in(&path), path);
        let secret = format!("sk_whsec_{}", "0f".repeat(32));
        assert_eq!(mask_shapes_in(&secret), format!("sk_whsec_0f0f{}", "*".repeat(60)));
    }

    #[test]
    fn masks_shapes_without_moving_other_text() {
        let text = format!("x api_{} y", "Q7".repeat(16));
        let masked = mask_shapes_in(&text);
        assert_eq!(masked, format!("x api_Q7Q7{} y", "*".repeat(28)));
        assert_eq!(mask_shapes_in("api_completion"), "api_completion");
    }
}
