//! The rules of a scan, and the search for the anchors of all of them.
//!
//! An anchor is a literal that begins every match of a rule, in one of the forms that are read: plain, in UTF-16, with escapes, cut
//! by a line end. All forms of all rules go into one [`LiteralPrefilter`], so that a text is searched once. The prefilter searches for
//! the core of each form, and the rest of the anchor is compared where the core is. [`RequiredBody`] checks what follows an anchor.
//! `detect` decodes and matches.

use super::file::{MIN_ANCHOR_BYTES, parse};
use super::lookahead::RequiredBody;
use super::model::Rule;
use crate::decode::{
    Base64Literal, EncodedSpan, Form, STREAM_MARKS, base64_alignments, encoded_spans, may_begin_stream,
};
use crate::mistake::Mistake;
use crate::prefilter::{EncodedBlocks, LiteralPrefilter, MIN_RUN_BYTES};
use crate::text::{Encoding, begins_with};
use std::cmp::Reverse;
use std::ops::Range;

/// The rules that came with sf-scan: the name and the text of each file.
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));

/// What begins with an anchor.
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

/// A literal that begins a match, in one of the forms that are read.
#[derive(Debug)]
pub struct Anchor {
    /// The number of digits before `written` that belong to the same base64 group. 0 for other forms.
    digits_before: usize,
    /// The bytes as written.
    written: Vec<u8>,
    /// The part of `written` that the prefilter searches for.
    core: Range<usize>,
    /// What begins with it.
    pub kind: AnchorKind,
    /// How it is written.
    pub form: Form,
}

/// An anchor in a text.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    /// The offset in the text at which the anchor, with its whole group, begins.
    pub at: usize,
    /// The anchor.
    pub anchor: &'a Anchor,
}

/// The rules of a scan, with a prefilter for all their anchors.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    anchors: Vec<Anchor>,
    prefilter: LiteralPrefilter,
    /// For each literal of the prefilter, the anchors that may be where the literal is.
    anchors_of_literal: Vec<Vec<AnchorOfLiteral>>,
    /// For each anchor, the body that has to follow it. `None` if that is not known.
    bodies: Vec<Option<RequiredBody>>,
    max_anchor_len: usize,
}

/// An anchor whose core begins with a literal.
#[derive(Debug)]
struct AnchorOfLiteral {
    /// The index of the anchor.
    anchor: usize,
    /// Whether the literal is all of the anchor, so that nothing else has to be compared.
    is_whole: bool,
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
    /// If two rules have the same id.
    pub fn new(mut rules: Vec<Rule>) -> Result<RuleSet, Mistake> {
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some(pair) = rules.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(Mistake::new(format!("there are two rules with the id `{}`", pair[0].id)));
        }
        let mut anchors = all_anchors(&rules);
        // If two anchors have the same core, the one that begins earlier is visited first.
        anchors.sort_by_key(|anchor| Reverse(anchor.core_offset()));
        let literals = literals_to_search(&anchors);
        let anchors_of = |literal: &&[u8]| {
            let anchors = anchors.iter().enumerate();
            let anchors = anchors.filter(|(_, anchor)| anchor.core().starts_with(literal));
            anchors
                .map(|(index, anchor)| AnchorOfLiteral {
                    anchor: index,
                    is_whole: anchor.written == *literal,
                })
                .collect()
        };
        let anchors_of_literal = literals.iter().map(anchors_of).collect();
        let required_body = |anchor: &Anchor| match anchor.kind {
            AnchorKind::Match(rule) if anchor.form == Form::Plain => {
                RequiredBody::new(rules[rule].pattern_prefix()?, anchor.written_len())
            }
            _ => None,
        };
        let bodies = anchors.iter().map(required_body).collect();
        let prefilter = LiteralPrefilter::new(&literals);
        let max_anchor_len = anchors.iter().map(Anchor::written_len).max().unwrap_or(0);
        Ok(RuleSet { prefilter, rules, anchors_of_literal, bodies, max_anchor_len, anchors })
    }

    /// The rules, in the order of their ids.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| &*rule.id == id)
    }

    /// The number of bytes before or behind a byte that may decide whether the byte is part of a finding: those of an anchor or of a run.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.max_anchor_len.max(2 * MIN_RUN_BYTES) - 1
    }

    /// Whether a part of a finding may be in `stretch` of `bytes`: an anchor overlaps the stretch, or a run that may be encoded text. An
    /// empty stretch is overlapped by what begins before it and ends behind it.
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

    /// Calls `visit` for each anchor that begins in `own`, if the body of a secret may follow it. Returns the blocks that may hold encoded
    /// text, for [`encoded_spans`].
    pub(crate) fn search<'s>(
        &'s self,
        bytes: &[u8],
        own: Range<usize>,
        mut visit: impl FnMut(Hit<'s>),
    ) -> EncodedBlocks {
        self.for_each_anchor(bytes, own, |index, hit| {
            let body = self.bodies[index].as_ref();
            if body.is_none_or(|body| body.can_match(bytes, hit.at, hit.anchor.written_len())) {
                visit(hit);
            }
        })
    }

    /// Calls `visit` with the index of each anchor that begins in `own`, and where it is. Returns the blocks that may hold encoded text.
    fn for_each_anchor<'s>(
        &'s self,
        bytes: &[u8],
        own: Range<usize>,
        mut visit: impl FnMut(usize, Hit<'s>),
    ) -> EncodedBlocks {
        let end = bytes.len().min(own.end + self.max_anchor_len);
        self.prefilter.for_each(bytes, own.start.min(end)..end, |literal, start| {
            for &AnchorOfLiteral { anchor: index, is_whole } in &self.anchors_of_literal[literal] {
                let anchor = &self.anchors[index];
                let Some(at) = start.checked_sub(anchor.core_offset()).filter(|at| own.contains(at)) else {
                    continue;
                };
                // The marks of streams are short, so most of them are chance.
                if anchor.kind == AnchorKind::Stream && !may_begin_stream(anchor.form, bytes, at) {
                    continue;
                }
                if is_whole || begins_with(&bytes[at + anchor.digits_before..], &anchor.written) {
                    visit(index, Hit { at, anchor });
                }
            }
        })
    }
}

impl Anchor {
    /// An anchor that is searched for as a whole.
    fn new(written: Vec<u8>, kind: AnchorKind, form: Form) -> Anchor {
        Anchor { digits_before: 0, core: 0..written.len(), written, kind, form }
    }

    /// The bytes that the prefilter searches for.
    fn core(&self) -> &[u8] {
        &self.written[self.core.clone()]
    }

    /// The offset of the core in the anchor, with the digits before it.
    fn core_offset(&self) -> usize {
        self.digits_before + self.core.start
    }

    /// The length of the anchor as written, with the digits before it.
    #[must_use]
    pub fn written_len(&self) -> usize {
        self.digits_before + self.written.len()
    }
}

/// The anchors of all rules in all forms, of allowing comments, and of compressed streams.
fn all_anchors(rules: &[Rule]) -> Vec<Anchor> {
    let mut anchors = vec![Anchor::new(ALLOW_TAG.into(), AnchorKind::Allow, Form::Plain)];
    anchors.extend(STREAM_MARKS.map(|(form, mark)| Anchor::new(mark.to_vec(), AnchorKind::Stream, form)));
    for (index, rule) in rules.iter().enumerate() {
        let kind = AnchorKind::Match(index);
        for literal in &rule.anchors {
            anchors.push(Anchor::new(literal.clone(), kind, Form::Plain));
            anchors.extend(wide_anchors(literal, kind, if rule.token { &[2, 4] } else { &[2] }));
            if rule.token {
                anchors.extend(encoded_anchors(literal, kind, rule.min_match_len()));
            }
        }
    }
    anchors
}

/// The literals that the prefilter searches for: the cores of the anchors. Cores that begin alike share one literal, because the
/// prefilter is faster with fewer literals.
fn literals_to_search(anchors: &[Anchor]) -> Vec<&[u8]> {
    let mut cores: Vec<&[u8]> = anchors.iter().map(Anchor::core).collect();
    cores.sort_unstable();
    cores.dedup();
    let mut literals: Vec<&[u8]> = Vec::new();
    for core in cores {
        let common_len = |last: &[u8]| last.iter().zip(core).take_while(|(a, b)| a == b).count();
        match literals.last_mut() {
            Some(last) if common_len(last) >= MIN_ANCHOR_BYTES => *last = &core[..common_len(last)],
            _ => literals.push(core),
        }
    }
    literals
}

/// A literal in the forms that [`encoded_spans`] may not report, for secrets of at least `min_len` bytes.
fn encoded_anchors(literal: &[u8], kind: AnchorKind, min_len: usize) -> Vec<Anchor> {
    let mut anchors = spaced_hex_anchors(literal, kind);
    anchors.extend(escaped_anchors(literal, kind));
    if min_len < MIN_RUN_BYTES {
        anchors.extend(wrapped_quoted_printable_anchors(literal, kind));
    }
    if min_len * 4 / 3 < MIN_RUN_BYTES {
        anchors.extend(base64_and_hex_anchors(literal, kind));
    }
    anchors
}

/// A literal in UTF-16 and UTF-32, in both byte orders. `unit_lens` are the lengths of the units: 2 for UTF-16, 4 for UTF-32.
fn wide_anchors(literal: &[u8], kind: AnchorKind, unit_lens: &[usize]) -> Vec<Anchor> {
    let mut anchors = Vec::new();
    for encoding in [Encoding::Utf16Le, Encoding::Utf16Be, Encoding::Utf32Le, Encoding::Utf32Be] {
        if !unit_lens.contains(&encoding.unit()) {
            continue;
        }
        let zero_count = encoding.unit() - 1;
        let zeros_before = if encoding.is_low_first() { 0 } else { zero_count };
        let mut written = Vec::with_capacity(literal.len() * encoding.unit());
        for &byte in literal {
            written.extend(std::iter::repeat_n(0, zeros_before));
            written.push(byte);
            written.extend(std::iter::repeat_n(0, zero_count - zeros_before));
        }
        // The core reaches from the first letter to the last, so it is the same in both byte orders. It does not begin with a zero
        // byte, because files are full of them.
        let core = zeros_before..zeros_before + written.len() - zero_count;
        anchors.push(Anchor { core, ..Anchor::new(written, kind, Form::Wide(encoding)) });
    }
    anchors
}

/// A literal in which characters that are neither letters nor digits are escaped: `api%5F`. The anchor is the longest word before an
/// escape, and the first byte of the escape.
fn escaped_anchors(literal: &[u8], kind: AnchorKind) -> Vec<Anchor> {
    let mut words: Vec<&[u8]> = literal.split(|byte| !byte.is_ascii_alphanumeric()).collect();
    // Behind the last word comes the body of the secret, not an escape.
    words.pop();
    let longest = words.into_iter().rev().max_by_key(|word| word.len()).unwrap_or_default();
    if longest.len() + 1 < MIN_ANCHOR_BYTES {
        return Vec::new();
    }
    let forms = [
        (Form::Percent, b'%'),
        (Form::Backslash, b'\\'),
        (Form::Entity, b'&'),
        (Form::QuotedPrintable, b'='),
    ];
    let anchor = |(form, opener)| Anchor::new([longest, &[opener]].concat(), kind, form);
    forms.map(anchor).into()
}

/// A literal with a soft line break of quoted-printable in it: in a mail, in a mail that is a string of a program, and in a string
/// of such a string.
fn wrapped_quoted_printable_anchors(literal: &[u8], kind: AnchorKind) -> Vec<Anchor> {
    let mut anchors = Vec::new();
    for (form, line_break) in [
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
            let word_len = behind.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let escaped = [&behind[..word_len], b"="].concat();
            let mut spellings = vec![if word_len == 0 && form == Form::Backslash { &[] } else { behind }];
            if (1..behind.len()).contains(&word_len) {
                spellings.push(&escaped);
            }
            for behind in spellings {
                let anchor = Anchor::new([before, line_break, behind].concat(), kind, form);
                // The core ends with the part behind the line break, unless the part before it is longer. It has as much of the line
                // break as the shortest literal needs.
                let length = anchor.written.len();
                let core_start = if before.len() > behind.len() {
                    0
                } else {
                    (length - behind.len() - 1).min(length.saturating_sub(MIN_ANCHOR_BYTES))
                };
                anchors.push(Anchor { core: core_start..length, ..anchor });
            }
        }
    }
    anchors
}

/// A literal in hexadecimal bytes with a gap between them: `61 70 69`.
fn spaced_hex_anchors(literal: &[u8], kind: AnchorKind) -> Vec<Anchor> {
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
fn base64_and_hex_anchors(literal: &[u8], kind: AnchorKind) -> Vec<Anchor> {
    let in_base64 = |literal: Base64Literal| Anchor {
        digits_before: literal.digits_before,
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
            // A user's rule is read, because there every pattern is compiled at once.
            parse(name, text, &[], false).unwrap_or_else(|mistake| panic!("{name}: {mistake:?}"));
        }
    }

    #[test]
    fn finds_each_anchor_in_exactly_one_of_two_parts() {
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
                let mut is_found = false;
                encoded_spans(&text, &part, &blocks, |span| is_found |= span.run.start == run.start);
                assert!(is_found, "{part:?} of {}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn reports_escapes_at_the_ends_of_a_long_run() {
        let set = RuleSet::new(RuleSet::builtin().expect("the rules load")).expect("a set");
        let name = "a_name_without_any_text__".repeat(12);
        // The run begins near the start of the text, or one of its ends is near the end of a batch of blocks.
        let batch = 64 * BLOCK_BYTES;
        let starts = (0..BLOCK_BYTES).chain((batch - BLOCK_BYTES..batch).step_by(5));
        let starts = starts.chain((batch - 4 * BLOCK_BYTES..batch - 2 * BLOCK_BYTES).step_by(9));
        for (before, length) in
            starts.flat_map(|before| (150..150 + BLOCK_BYTES).map(move |length| (before, length)))
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
    fn reports_text_that_is_cut_by_a_line_end() {
        let set = RuleSet::new(RuleSet::builtin().expect("the rules load")).expect("a set");
        // Encoded text amid other digits, in lines of base64, at each column.
        let text = "aG9ibm9iaG9ibm9iaG9ibm9iaG9ibm9iaG9ibm9iaG9ibm9i";
        let mut state = 1u32;
        // No digit of the noise may be the third of a group of ASCII text.
        let alphabet = b"CDGHKLabef";
        let noise: String = (0..20_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(alphabet[(state >> 8) as usize % alphabet.len()])
            })
            .collect();
        let lines = [48, 52, 64, 76].iter().flat_map(|width| (0..400).map(move |before| (*width, before)));
        // Many digits follow the text, or the last line is short.
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
        let name = "a_name_that_is_as_long_as_a_run_but_decodes_to_no_text";
        let names = format!("{name}(and a few words);\n").repeat(100);
        for text in [names.clone(), names[..4 * 1024].to_owned(), name.repeat(200), name.repeat(2)] {
            for length in text.len().saturating_sub(BLOCK_BYTES)..text.len() {
                let text = &text.as_bytes()[..length];
                let blocks = set.search(text, 0..length, |_| {});
                encoded_spans(text, &(0..length), &blocks, |span| panic!("{span:?} of {length}"));
            }
        }
    }
}
