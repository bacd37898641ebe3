//! What stands behind an anchor in a text: whether the rest of a secret can begin there. Text full of names that begin as a
//! secret does is told from secrets by this alone.

use super::Head;

/// A token with fewer characters is not worth a look in pieces.
pub(crate) const SHORTEST_TOKEN: usize = 16;

/// Behind a piece of a secret another one may follow at these bytes, and at what is not ASCII.
pub(crate) const JOINS: &[u8] = b"\n\r;`\\<\x1B&${";

/// At these a literal ends; none follows if the next byte is one of `BREAKS`.
pub(crate) const QUOTES: &[u8] = b"\"'";
pub(crate) const BREAKS: &[u8] = b"][=>?!*%:";

/// At these a line goes on, if the next byte is one of `CONTINUES`.
pub(crate) const SIGNS: &[u8] = b"=^#";
const CONTINUES: &[u8] = b"\r\n\\{";

/// Behind this sign a variable follows.
const VARIABLE: &[u8] = b"%";

/// At a blank a value ends that is no literal where nothing but a comment follows on the line, which begins with one of these.
const COMMENTS: &[u8] = b" \t\r\n#;/";

/// At a blank and at a bracket a value ends, if it follows one of these.
const ASSIGNS: &[u8] = b"=:,>?-<";

/// Which bytes are in one of some lists.
pub(crate) const fn table_of(lists: &[&[u8]]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut list = 0;
    while list < lists.len() {
        let mut at = 0;
        while at < lists[list].len() {
            table[lists[list][at] as usize] = true;
            at += 1;
        }
        list += 1;
    }
    table
}

/// What must follow an anchor for a secret to begin with it.
#[derive(Debug)]
pub(super) struct Rest {
    /// The bytes of the secret.
    own: [bool; 256],
    /// How many of them follow where it stands in one piece.
    least: usize,
}

impl Rest {
    /// What must follow an anchor of `anchor` bytes; nothing if that tells too little.
    pub(super) fn of(head: &Head, anchor: usize) -> Option<Rest> {
        let is_told = head.least >= SHORTEST_TOKEN.max(anchor);
        is_told.then(|| Rest { own: head.alphabet, least: head.least - anchor })
    }

    /// Whether it may follow the anchor of `length` bytes at `at`, whole or up to where it goes on elsewhere.
    #[inline]
    pub(super) fn may_follow(&self, text: &[u8], at: usize, length: usize) -> bool {
        let body = &text[at + length..];
        let own = body.iter().take(self.least).take_while(|&&byte| self.own[usize::from(byte)]).count();
        own == self.least
            || body[own..].first_chunk().is_none_or(|&[end, next]| {
                goes_on(end, next) || matches!(end, b' ' | b')') && is_assigned(text, at)
            })
    }
}

/// Whether what ends at the byte `end` may go on behind it, where the byte `next` follows.
#[inline]
fn goes_on(end: u8, next: u8) -> bool {
    const ALWAYS: [bool; 256] = table_of(&[JOINS, VARIABLE]);
    match end {
        b'"' | b'\'' => !BREAKS.contains(&next),
        b'=' | b'^' | b'#' => CONTINUES.contains(&next),
        b' ' => COMMENTS.contains(&next),
        _ => ALWAYS[usize::from(end)] || !end.is_ascii(),
    }
}

/// Whether something gets the value that begins at `at`.
fn is_assigned(text: &[u8], at: usize) -> bool {
    text[..at].last().is_some_and(|before| ASSIGNS.contains(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_follow_is_told_wherever_it_stands_and_whoever_asks() {
        let rest = |letters: &[u8]| {
            let mut alphabet = [false; 256];
            letters.iter().for_each(|&byte| alphabet[usize::from(byte)] = true);
            Rest::of(&Head { least: 24, alphabet, anchor: 4 }, 4).expect("long enough")
        };
        let rests = [rest(b"ab"), rest(b"abc")];
        let parts: [&[u8]; 13] = [
            b"aaaaaaaaaaaaaaaaaaab",
            b")",
            b"a",
            b"b",
            b"c",
            b"\"",
            b"]",
            b" ",
            b"(",
            b"=",
            b"\n",
            b"\xE2",
            b"-",
        ];
        let mut state = 1u32;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        let mut told = [0; 2];
        for _ in 0..300 {
            let text: Vec<u8> = (0..100).flat_map(|_| parts[random(parts.len())]).copied().collect();
            let mut at = 0;
            while at < text.len() {
                let which = random(2);
                let own = if which == 0 { &b"ab"[..] } else { b"abc" };
                let length = text[at..].iter().take_while(|byte| own.contains(byte)).count();
                let next = text.get(at + length + 1);
                let is_assigned = at > 0 && ASSIGNS.contains(&text[at - 1]);
                let goes_on = match text.get(at + length) {
                    Some(b'"') => next.is_none_or(|next| !BREAKS.contains(next)),
                    Some(b'=') => next == Some(&b'\n'),
                    Some(b' ') => is_assigned || next.is_some_and(|next| COMMENTS.contains(next)),
                    Some(b')') => is_assigned,
                    Some(b'\n' | 0xE2) => true,
                    _ => false,
                };
                let may_be = rests[which].may_follow(&text, at, 0);
                // Where the text ends it may go on.
                let expected = length >= 20 || goes_on || next.is_none();
                assert_eq!(may_be, expected, "{at} in {}", text.escape_ascii());
                told[usize::from(may_be)] += 1;
                at += random(30);
            }
        }
        assert!(told.iter().all(|&count| count > 1000), "{told:?}");
    }
}
