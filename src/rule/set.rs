//! The rules of a scan, and the search for the anchors of all of them.
//!
//! An anchor is a literal that begins every match of a rule, in one of the forms that are read: plain, in UTF-16, with escapes, cut
//! by a line end. All forms of all rules go into one [`LiteralPrefilter`], so that a text is searched once. Of a form only the
//! bytes that are certain are searched for; the rest of the anchor is compared where they are. What follows an anchor is checked
//! by [`RequiredBody`]. Decoding and matching are the business of `detect`.

use super::file::{SHORTEST_ANCHOR, parse};
use super::lookahead::RequiredBody;
use super::model::Rule;
use crate::decode::{
    Base64Literal, EncodedSpan, Form, STREAM_MARKS, base64_alignments, encoded_spans, may_begin_stream,
};
use crate::mistake::Mistake;
use crate::prefilter::{EncodedBlocks, LiteralPrefilter, MIN_RUN_BYTES};
use crate::text::{Encoding, begins_with};
use std::ops::Range;

/// The rules that came with sf-scan: file name and text.
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));

/// What an anchor begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorKind {
    /// A match of the rule with this index in [`RuleSet::rules`].
    Match(usize),
    /// The tag of a comment that allows a finding.
    Allow,
    /// A compressed stream.
    Stream,
}

/// The tag of a comment that allows a finding.
pub const ALLOW_TAG: &str = "sf-scan:allow";

/// A literal in one of the forms that are read.
#[derive(Debug)]
pub struct Anchor {
    /// The bytes before `written` that are decoded in the same group.
    before: usize,
    /// The bytes as written.
    written: Vec<u8>,
    /// The part of `written` that is searched for.
    core: Range<usize>,
    /// What begins with it.
    pub kind: AnchorKind,
    /// How it is written.
    pub form: Form,
}

/// An anchor in a text.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    /// Where it begins.
    pub at: usize,
    /// The anchor.
    pub anchor: &'a Anchor,
}

/// The rules of a run.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    anchors: Vec<Anchor>,
    /// For each literal of the prefilter: the anchors that may be where it is, and whether it is all of the anchor.
    candidates: Vec<Vec<(usize, bool)>>,
    prefilter: LiteralPrefilter,
    /// For each anchor what has to follow it, if that is known.
    bodies: Vec<Option<RequiredBody>>,
    max_anchor_len: usize,
}

impl RuleSet {
    /// The rules that came with sf-scan.
    ///
    /// # Errors
    /// None in a release: the tests load them.
    pub fn builtin() -> Result<Vec<Rule>, Mistake> {
        BUILTIN.iter().map(|(name, text)| parse(name, text, &[], true)).collect()
    }

    /// A set of these rules, in the order of their ids.
    ///
    /// # Errors
    /// Two rules of the same id.
    pub fn new(mut rules: Vec<Rule>) -> Result<RuleSet, Mistake> {
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some(pair) = rules.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(Mistake::new(format!("there are two rules with the id `{}`", pair[0].id)));
        }
        let tag = ALLOW_TAG.as_bytes();
        let mut anchors = vec![Anchor::new(tag.to_vec(), AnchorKind::Allow, Form::Plain)];
        anchors.extend(STREAM_MARKS.map(|(form, mark)| Anchor::new(mark.to_vec(), AnchorKind::Stream, form)));
        for (at, rule) in rules.iter().enumerate() {
            for literal in &rule.anchors {
                let kind = AnchorKind::Match(at);
                anchors.push(Anchor::new(literal.clone(), kind, Form::Plain));
                anchors.extend(wide(literal, kind, if rule.token { &[2, 4] } else { &[2] }));
                if rule.token {
                    anchors.extend(encoded(literal, kind, rule.min_match_len()));
                }
            }
        }
        // Of two anchors with the same core, the one that begins earlier is visited first.
        anchors.sort_by_key(|anchor| std::cmp::Reverse(anchor.before + anchor.core.start));
        let mut literals: Vec<&[u8]> = anchors.iter().map(Anchor::core).collect();
        literals.sort_unstable();
        literals.dedup();
        // Literals that begin alike become one: the prefilter is faster with fewer literals.
        let mut shared: Vec<&[u8]> = Vec::new();
        for literal in literals {
            let common = |last: &&[u8]| last.iter().zip(literal).take_while(|(a, b)| a == b).count();
            match shared.last_mut() {
                Some(last) if common(last) >= SHORTEST_ANCHOR => *last = &literal[..common(last)],
                _ => shared.push(literal),
            }
        }
        let anchors_at = |literal: &&[u8]| {
            let anchors = anchors.iter().enumerate();
            let anchors = anchors.filter(|(_, anchor)| anchor.core().starts_with(literal));
            anchors.map(|(at, anchor)| (at, anchor.written == *literal)).collect()
        };
        let candidates: Vec<Vec<(usize, bool)>> = shared.iter().map(anchors_at).collect();
        let body = |anchor: &Anchor| match anchor.kind {
            AnchorKind::Match(rule) if anchor.form == Form::Plain => rules[rule]
                .pattern_prefix()
                .and_then(|prefix| RequiredBody::new(prefix, anchor.written_len())),
            _ => None,
        };
        let bodies = anchors.iter().map(body).collect();
        let prefilter = LiteralPrefilter::new(&shared);
        let max_anchor_len = anchors.iter().map(Anchor::written_len).max().unwrap_or(0);
        Ok(RuleSet { prefilter, rules, candidates, bodies, max_anchor_len, anchors })
    }

    /// The rules, in the order of their ids.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule called `id`.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| &*rule.id == id)
    }

    /// The number of bytes behind a byte that may decide whether it could be part of a finding: those of an anchor or of a run.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.max_anchor_len.max(2 * MIN_RUN_BYTES) - 1
    }

    /// Whether a finding may have a part in this stretch of `bytes`: an anchor overlaps it, or a span that may be encoded text. For
    /// an empty stretch: whether one is across it.
    #[must_use]
    pub fn may_contain_finding(&self, bytes: &[u8], stretch: &Range<usize>) -> bool {
        let reach = self.reach();
        let around = stretch.start.saturating_sub(reach)..bytes.len().min(stretch.end + reach);
        let mut may_contain = false;
        let blocks = self.for_each_anchor(bytes, around.clone(), |_, hit| {
            may_contain |= hit.at < stretch.end && hit.at + hit.anchor.written_len() > stretch.start;
        });
        if !may_contain {
            encoded_spans(bytes, &around, &blocks, |EncodedSpan { run, .. }| {
                may_contain |= run.end > stretch.start && run.start < stretch.end.max(1);
            });
        }
        may_contain
    }

    /// Calls `visit` for each anchor that begins within `own`, except those that no secret's body follows. Returns the blocks for
    /// [`encoded_spans`].
    pub(crate) fn search<'s>(
        &'s self,
        bytes: &[u8],
        own: Range<usize>,
        mut visit: impl FnMut(Hit<'s>),
    ) -> EncodedBlocks {
        self.for_each_anchor(bytes, own, |number, hit| {
            let body = self.bodies[number].as_ref();
            if body.is_none_or(|body| body.can_match(bytes, hit.at, hit.anchor.written_len())) {
                visit(hit);
            }
        })
    }

    /// Calls `visit` with each anchor that begins within `own` and its index.
    fn for_each_anchor<'s>(
        &'s self,
        bytes: &[u8],
        own: Range<usize>,
        mut visit: impl FnMut(usize, Hit<'s>),
    ) -> EncodedBlocks {
        let end = bytes.len().min(own.end + self.max_anchor_len);
        self.prefilter.for_each(bytes, own.start.min(end)..end, |literal, start| {
            for &(number, is_whole) in &self.candidates[literal] {
                let anchor = &self.anchors[number];
                let before = anchor.before + anchor.core.start;
                let Some(at) = start.checked_sub(before).filter(|at| own.contains(at)) else {
                    continue;
                };
                // The marks of streams are short, so most of them are chance.
                let is_chance =
                    anchor.kind == AnchorKind::Stream && !may_begin_stream(anchor.form, bytes, at);
                let is_there = || is_whole || begins_with(&bytes[at + anchor.before..], &anchor.written);
                if !is_chance && is_there() {
                    visit(number, Hit { at, anchor });
                }
            }
        })
    }
}

impl Anchor {
    fn new(written: Vec<u8>, kind: AnchorKind, form: Form) -> Anchor {
        Anchor { before: 0, core: 0..written.len(), written, kind, form }
    }

    /// The bytes that are searched for.
    fn core(&self) -> &[u8] {
        &self.written[self.core.clone()]
    }

    /// Its length as written.
    #[must_use]
    pub fn written_len(&self) -> usize {
        self.before + self.written.len()
    }
}

/// A literal in the forms that [`encoded_spans`] may not report, for secrets of at least `min_len` bytes.
fn encoded(literal: &[u8], kind: AnchorKind, min_len: usize) -> Vec<Anchor> {
    let mut anchors = spaced_hex(literal, kind);
    anchors.extend(escaped(literal, kind));
    if min_len < MIN_RUN_BYTES {
        anchors.extend(quoted_printable_wrapped(literal, kind));
    }
    if min_len * 4 / 3 < MIN_RUN_BYTES {
        anchors.extend(base64_and_hex(literal, kind));
    }
    anchors
}

/// A literal in UTF-16 and UTF-32 with units of these lengths, in both byte orders.
fn wide(literal: &[u8], kind: AnchorKind, units: &[usize]) -> Vec<Anchor> {
    use Encoding::{Utf16Be, Utf16Le, Utf32Be, Utf32Le};
    let encodings = [(Utf16Le, true), (Utf16Be, false), (Utf32Le, true), (Utf32Be, false)];
    let in_units = encodings.into_iter().filter(|(encoding, _)| units.contains(&encoding.unit()));
    in_units
        .map(|(encoding, low_first)| {
            let zeros = encoding.unit() - 1;
            let mut written = Vec::with_capacity(literal.len() * encoding.unit());
            for &byte in literal {
                written.extend(std::iter::repeat_n(0, if low_first { 0 } else { zeros }));
                written.push(byte);
                written.extend(std::iter::repeat_n(0, if low_first { zeros } else { 0 }));
            }
            // Both byte orders have the same core: from the first letter to the last. So no literal begins with a zero, which
            // files are full of.
            let start = if low_first { 0 } else { zeros };
            let core = start..start + written.len() - zeros;
            Anchor { core, ..Anchor::new(written, kind, Form::Wide(encoding)) }
        })
        .collect()
}

/// A literal in which characters that are neither letters nor digits are escaped: `api%5F`.
fn escaped(literal: &[u8], kind: AnchorKind) -> Vec<Anchor> {
    let mut anchors = Vec::new();
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
    let mut words: Vec<&[u8]> = literal.split(|byte| !is_word(byte)).collect();
    // Behind the last word comes the body of the secret, not an escape.
    words.pop();
    let longest = words.into_iter().rev().max_by_key(|word| word.len()).unwrap_or_default();
    if longest.len() + 1 >= SHORTEST_ANCHOR {
        for (form, opener) in [
            (Form::Percent, b'%'),
            (Form::Backslash, b'\\'),
            (Form::Entity, b'&'),
            (Form::QuotedPrintable, b'='),
        ] {
            anchors.push(Anchor::new([longest, &[opener]].concat(), kind, form));
        }
    }
    anchors
}

/// A literal with a soft line break of quoted-printable in it: in a mail, in a mail that is a string of a program, and in a string
/// of such a string.
fn quoted_printable_wrapped(literal: &[u8], kind: AnchorKind) -> Vec<Anchor> {
    let mut anchors = Vec::new();
    for (form, end) in [
        (Form::QuotedPrintable, &b"=\n"[..]),
        (Form::QuotedPrintable, b"=\r\n"),
        (Form::Backslash, b"=\\n"),
        (Form::Backslash, b"=\\r\\n"),
        (Form::Backslash, b"=\\\\n"),
        (Form::Backslash, b"=\\\\r\\\\n"),
    ] {
        for cut in 1..literal.len() {
            let (before, behind) = literal.split_at(cut);
            // Some mail programs also escape what is neither a letter nor a digit.
            let word = behind.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let escaped = [&behind[..word], b"="].concat();
            let mut ways = vec![if word == 0 && form == Form::Backslash { &[] } else { behind }];
            if (1..behind.len()).contains(&word) {
                ways.push(&escaped);
            }
            for behind in ways {
                let anchor = Anchor::new([before, end, behind].concat(), kind, form);
                // The core is the longer part, with as much of the line end as the shortest anchor needs.
                let length = anchor.written.len();
                let core = if cut > behind.len() {
                    0..length
                } else {
                    (length - behind.len() - 1).min(length.saturating_sub(SHORTEST_ANCHOR))..length
                };
                anchors.push(Anchor { core, ..anchor });
            }
        }
    }
    anchors
}

/// A literal in hexadecimal bytes with a gap between them: `61 70 69`.
fn spaced_hex(literal: &[u8], kind: AnchorKind) -> Vec<Anchor> {
    let mut anchors = Vec::new();
    for gap in [" ", ", 0x"] {
        for digits in [|byte: &u8| format!("{byte:02x}"), |byte: &u8| format!("{byte:02X}")] {
            let written = literal.iter().map(digits).collect::<Vec<_>>().join(gap);
            anchors.push(Anchor::new(written.into_bytes(), kind, Form::HexBytes));
        }
    }
    anchors
}

/// A literal in base64 and in hexadecimal.
fn base64_and_hex(literal: &[u8], kind: AnchorKind) -> Vec<Anchor> {
    let in_base64 = |literal: Base64Literal| Anchor {
        before: literal.digits_before,
        ..Anchor::new(literal.digits, kind, Form::Base64)
    };
    let in_hex = [|byte: &u8| format!("{byte:02x}"), |byte: &u8| format!("{byte:02X}")]
        .map(|digits| literal.iter().map(digits).collect::<String>())
        .map(|written| Anchor::new(written.into_bytes(), kind, Form::Hex));
    base64_alignments(literal).map(in_base64).into_iter().chain(in_hex).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefilter::BLOCK_BYTES;

    #[test]
    fn builtin_rules_compile() {
        let set = RuleSet::new(RuleSet::builtin().expect("the rules load")).expect("a set");
        assert!(set.rules().len() >= 3);
        for (name, text) in BUILTIN {
            // As a user's rule every pattern is compiled at once.
            parse(name, text, &[], false).unwrap_or_else(|mistake| panic!("{name}: {mistake:?}"));
        }
    }

    #[test]
    fn finds_each_form_of_an_anchor_in_its_own_part() {
        let set = RuleSet::new(RuleSet::builtin().expect("the rules load")).expect("a set");
        let text = b"..api_\n.a\0p\0i\0_\0..\0a\0p\0i\0_..api_";
        let hits = |own: Range<usize>| {
            let mut hits = Vec::new();
            set.search(text, own, |hit| hits.push((hit.at, hit.anchor.form)));
            hits.sort_by_key(|&(at, _)| at);
            hits
        };
        let wide = |encoding| Form::Wide(encoding);
        let all = [
            (2, Form::Plain),
            (8, wide(Encoding::Utf16Le)),
            (18, wide(Encoding::Utf16Be)),
            (28, Form::Plain),
        ];
        assert_eq!(hits(0..text.len()), all);
        for cut in 0..=text.len() {
            let mut both = hits(0..cut);
            both.extend(hits(cut..text.len()));
            assert_eq!(both, all, "cut at {cut}");
        }
    }

    #[test]
    fn reports_blocks_of_all_encoded_text() {
        let set = RuleSet::new(RuleSet::builtin().expect("the rules load")).expect("a set");
        let encoded: [&[u8]; 6] = [
            b"Y2xpZW50Y2xpZW50Y2xpZW50Y2xpZW50Y2xpZW50Y2xpZW50",
            b"ljbGllbnRjbGllbnRjbGllbnRjbGllbnRjbGllbnRjbGllbnR",
            b"636c69656e74636c69656e74636c69656e74636c69656e74",
            b"n%61%6de%63%6c%69%65n%74%6e%61%6de%63%6c%69%65%6et",
            b"client&#110;client&#110;client&#110;client&#110;client",
            b"VGhlIHF1aWNrIG&#x4a;yb3duIGZveCBqdW1wcyBvdmVyIHRo",
        ];
        let neighbours: [&[u8]; 4] =
            [b"some words, ", b"a_name_that_is_as_long_as_a_run_but_no_text(", b"\n", b"= "];
        for (encoded, before) in encoded.iter().flat_map(|run| (0..200).map(move |before| (run, before))) {
            let mut text: Vec<u8> = neighbours.concat().iter().copied().cycle().take(before).collect();
            text.push(b' ');
            let run = text.len()..text.len() + encoded.len();
            text.extend_from_slice(encoded);
            text.push(b' ');
            text.extend_from_slice(neighbours[before % 4]);
            text.extend(neighbours.concat().repeat(before % 3));
            for part in [0..text.len(), run.clone(), run.start / 2..run.start + 1] {
                let blocks = set.search(&text, part.clone(), |_| {});
                let mut has = false;
                encoded_spans(&text, &part, &blocks, |span| has |= span.run.start == run.start);
                assert!(has, "{part:?} of {}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn reports_escapes_at_the_ends_of_a_long_run() {
        let set = RuleSet::new(RuleSet::builtin().expect("the rules load")).expect("a set");
        let name = "a_name_that_says_nothing_".repeat(12);
        // Where the text begins, and with either end of the run where what is looked at together does.
        let together = 64 * BLOCK_BYTES;
        let places = (0..BLOCK_BYTES).chain((together - BLOCK_BYTES..together).step_by(5));
        let places = places.chain((together - 4 * BLOCK_BYTES..together - 2 * BLOCK_BYTES).step_by(9));
        for (before, length) in
            places.flat_map(|before| (150..150 + BLOCK_BYTES).map(move |length| (before, length)))
        {
            for run in [format!("{}%61", &name[..length]), format!("%61{}", &name[..length])] {
                let text = format!("{}{run} ", " ".repeat(before));
                for part in [0..text.len(), before.saturating_sub(BLOCK_BYTES / 2)..text.len()] {
                    let blocks = set.search(text.as_bytes(), part.clone(), |_| {});
                    let mut found = false;
                    encoded_spans(text.as_bytes(), &part, &blocks, |span| {
                        found |= span.form == Form::Percent
                    });
                    assert!(found, "{part:?} of {text:?}");
                }
            }
        }
    }

    #[test]
    fn reports_text_that_a_line_end_cuts() {
        let set = RuleSet::new(RuleSet::builtin().expect("the rules load")).expect("a set");
        // Text among bytes that are none, in lines of base64, at each place in them.
        let text = "aG9ibm9iaG9ibm9iaG9ibm9iaG9ibm9iaG9ibm9iaG9ibm9i";
        let mut state = 1u32;
        // None of these is the third of four characters that say text, and of those above only each third is.
        let alphabet = b"CDGHKLabef";
        let noise: String = (0..20_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(alphabet[(state >> 8) as usize % alphabet.len()])
            })
            .collect();
        let lines = [48, 52, 64, 76].iter().flat_map(|width| (0..400).map(move |before| (*width, before)));
        // Much follows, or the last line is short.
        for ((width, before), behind) in lines.flat_map(|line| [9000, 0, 8, 28].map(|behind| (line, behind)))
        {
            let digits =
                [&noise.as_bytes()[..4 * before], text.as_bytes(), &noise.as_bytes()[..behind]].concat();
            let lines: Vec<&[u8]> = digits.chunks(width).collect();
            let (head, end) =
                (&b" : :\n : "[..1 + before % 6], [&b"\n"[..], b"\r\n", b"\n              "][before % 3]);
            let written = [head, &lines.join(end), b"\n"].concat();
            let start = head.len() + 4 * before + 4 * before / width * end.len();
            let blocks = set.search(&written, 0..written.len(), |_| {});
            let mut found = false;
            encoded_spans(&written, &(0..written.len()), &blocks, |span| {
                found |= span.form == Form::Base64
                    && span.start < start + MIN_RUN_BYTES
                    && start < span.end.unwrap_or(span.run.end);
            });
            assert!(found, "{before} by {width}, {behind} behind");
        }
    }

    #[test]
    fn reports_no_encoded_text_in_names() {
        let set = RuleSet::new(RuleSet::builtin().expect("the rules load")).expect("a set");
        let name = "a_name_that_is_as_long_as_a_run_but_says_nothing_at_all";
        let names = format!("{name}(and a few words);\n").repeat(100);
        for text in [names.clone(), names[..4 * 1024].to_owned(), name.repeat(200), name.repeat(2)] {
            for length in text.len().saturating_sub(BLOCK_BYTES)..text.len() {
                let text = &text.as_bytes()[..length];
                let blocks = set.search(text, 0..length, |_| {});
                encoded_spans(text, &(0..length), &blocks, |place| panic!("{place:?} of {length}"));
            }
        }
    }
}
