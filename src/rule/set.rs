//! The rules of a run and the one search that looks for the anchors of all of them.

use super::Rule;
use super::behind::Rest;
use super::file::{SHORTEST_ANCHOR, parse};
use crate::decode::{Form, LEAST, Place, STREAMS, alignments, begins_stream, runs};
use crate::mistake::Mistake;
use crate::prefilter::{EncodedBlocks, LiteralPrefilter};
use crate::text::{Encoding, begins_with};
use std::ops::Range;

/// The rules that came with sf-scan: file name and text.
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));

/// What an anchor begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// A match of the rule at this place in [`RuleSet::rules`].
    Match(usize),
    /// The tag of a comment that allows a finding.
    Allow,
    /// A compressed stream.
    Stream,
}

/// The tag of a comment that allows a finding.
pub const ALLOW_TAG: &str = "sf-scan:allow";

/// A literal that starts every match of a rule, in one of the forms that are read.
#[derive(Debug)]
pub struct Anchor {
    /// How many bytes before it are decoded together with its first.
    before: usize,
    /// The bytes that stand there.
    written: Vec<u8>,
    /// Which of them are searched for.
    core: Range<usize>,
    /// What begins with it.
    pub starts: Starts,
    /// How it is written.
    pub form: Form,
}

/// An anchor that stands at an offset.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    /// Where it begins.
    pub at: usize,
    /// Which it is.
    pub anchor: &'a Anchor,
}

/// The rules of a run.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    anchors: Vec<Anchor>,
    /// The distinct literals to search for; for each, the anchors that may stand where it does, and whether the literal is
    /// all of it.
    candidates: Vec<Vec<(usize, bool)>>,
    literals: LiteralPrefilter,
    /// For each anchor what must follow it for a secret to begin there, where that is known.
    rests: Vec<Option<Rest>>,
    longest: usize,
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
        let mut anchors = vec![Anchor::new(tag.to_vec(), Starts::Allow, Form::Plain)];
        anchors.extend(STREAMS.map(|(form, mark)| Anchor::new(mark.to_vec(), Starts::Stream, form)));
        for (at, rule) in rules.iter().enumerate() {
            for literal in &rule.anchors {
                let starts = Starts::Match(at);
                anchors.push(Anchor::new(literal.clone(), starts, Form::Plain));
                anchors.extend(wide(literal, starts, if rule.token { &[2, 4] } else { &[2] }));
                if rule.token {
                    anchors.extend(encoded(literal, starts, rule.shortest()));
                }
            }
        }
        // Where two begin with the same bytes, the one that begins before them is met first.
        anchors.sort_by_key(|anchor| std::cmp::Reverse(anchor.before + anchor.core.start));
        let mut literals: Vec<&[u8]> = anchors.iter().map(Anchor::core).collect();
        literals.sort_unstable();
        literals.dedup();
        // Literals that begin alike are searched for by what they share: fewer are found faster.
        let mut shared: Vec<&[u8]> = Vec::new();
        for literal in literals {
            let common = |last: &&[u8]| last.iter().zip(literal).take_while(|(a, b)| a == b).count();
            match shared.last_mut() {
                Some(last) if common(last) >= SHORTEST_ANCHOR => *last = &literal[..common(last)],
                _ => shared.push(literal),
            }
        }
        let standing_at = |literal: &&[u8]| {
            let anchors = anchors.iter().enumerate();
            let anchors = anchors.filter(|(_, anchor)| anchor.core().starts_with(literal));
            anchors.map(|(at, anchor)| (at, anchor.written == *literal)).collect()
        };
        let candidates: Vec<Vec<(usize, bool)>> = shared.iter().map(standing_at).collect();
        let follows = |anchor: &Anchor| match anchor.starts {
            Starts::Match(rule) if anchor.form == Form::Plain => {
                rules[rule].head().and_then(|head| Rest::of(head, anchor.length()))
            }
            _ => None,
        };
        let rests: Vec<Option<Rest>> = anchors.iter().map(follows).collect();
        let literals = LiteralPrefilter::new(&shared);
        let longest = anchors.iter().map(Anchor::length).max().unwrap_or(0);
        Ok(RuleSet { literals, rules, candidates, rests, longest, anchors })
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

    /// How many bytes beyond the first tell at most that something could be found: those of an anchor, or of a run.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.longest.max(2 * LEAST) - 1
    }

    /// Whether this stretch of `bytes` has part in something that could lead to a finding: an anchor, or a run that
    /// something may be encoded in. Of an empty stretch: whether one lies across.
    #[must_use]
    pub fn touches(&self, bytes: &[u8], stretch: &Range<usize>) -> bool {
        let reach = self.reach();
        let around = stretch.start.saturating_sub(reach)..bytes.len().min(stretch.end + reach);
        let mut touched = false;
        let hints = self.each_anchor(bytes, around.clone(), |_, hit| {
            touched |= hit.at < stretch.end && hit.at + hit.anchor.length() > stretch.start;
        });
        if !touched {
            runs(bytes, &around, &hints, |Place { run, .. }| {
                touched |= run.end > stretch.start && run.start < stretch.end.max(1);
            });
        }
        touched
    }

    /// Calls `visit` for each anchor that begins within `own`, but for those that the rest of a secret cannot follow. Tells
    /// by the way where [`runs`] has to look.
    pub(crate) fn search<'s>(
        &'s self,
        bytes: &[u8],
        own: Range<usize>,
        mut visit: impl FnMut(Hit<'s>),
    ) -> EncodedBlocks {
        self.each_anchor(bytes, own, |number, hit| {
            let rest = self.rests[number].as_ref();
            if rest.is_none_or(|rest| rest.may_follow(bytes, hit.at, hit.anchor.length())) {
                visit(hit);
            }
        })
    }

    /// Calls `visit` with each anchor that begins within `own` and its number.
    fn each_anchor<'s>(
        &'s self,
        bytes: &[u8],
        own: Range<usize>,
        mut visit: impl FnMut(usize, Hit<'s>),
    ) -> EncodedBlocks {
        let end = bytes.len().min(own.end + self.longest);
        self.literals.for_each(bytes, own.start.min(end)..end, |literal, start| {
            for &(number, is_whole) in &self.candidates[literal] {
                let anchor = &self.anchors[number];
                let before = anchor.before + anchor.core.start;
                let Some(at) = start.checked_sub(before).filter(|at| own.contains(at)) else {
                    continue;
                };
                // The marks of streams are short: most are none.
                let is_none = anchor.starts == Starts::Stream && !begins_stream(anchor.form, bytes, at);
                let stands = || is_whole || begins_with(&bytes[at + anchor.before..], &anchor.written);
                if !is_none && stands() {
                    visit(number, Hit { at, anchor });
                }
            }
        })
    }
}

impl Anchor {
    fn new(written: Vec<u8>, starts: Starts, form: Form) -> Anchor {
        Anchor { before: 0, core: 0..written.len(), written, starts, form }
    }

    /// The bytes that are searched for.
    fn core(&self) -> &[u8] {
        &self.written[self.core.clone()]
    }

    /// How many bytes it has as it is written.
    #[must_use]
    pub fn length(&self) -> usize {
        self.before + self.written.len()
    }
}

/// A literal that begins a secret of `shortest` bytes at least in the forms that [`runs`] may pass by.
fn encoded(literal: &[u8], starts: Starts, shortest: usize) -> Vec<Anchor> {
    let mut anchors = apart(literal, starts);
    anchors.extend(escaped(literal, starts));
    if shortest < LEAST {
        anchors.extend(cut(literal, starts));
    }
    if shortest * 4 / 3 < LEAST {
        anchors.extend(dense(literal, starts));
    }
    anchors
}

/// A literal in units of so many bytes.
fn wide(literal: &[u8], starts: Starts, units: &[usize]) -> Vec<Anchor> {
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
            // In either order the same bytes are searched for: those from the first letter to the last. None begins with
            // a zero then, which files are full of.
            let start = if low_first { 0 } else { zeros };
            let core = start..start + written.len() - zeros;
            Anchor { core, ..Anchor::new(written, starts, Form::Wide(encoding)) }
        })
        .collect()
}

/// A literal whose characters that are neither letter nor digit are escaped.
fn escaped(literal: &[u8], starts: Starts) -> Vec<Anchor> {
    let mut anchors = Vec::new();
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
    let mut words: Vec<&[u8]> = literal.split(|byte| !is_word(byte)).collect();
    // What stands behind the last word is none of the literal's.
    words.pop();
    let longest = words.into_iter().rev().max_by_key(|word| word.len()).unwrap_or_default();
    if longest.len() + 1 >= SHORTEST_ANCHOR {
        for (form, opener) in [
            (Form::Percent, b'%'),
            (Form::Backslash, b'\\'),
            (Form::Entity, b'&'),
            (Form::QuotedPrintable, b'='),
        ] {
            anchors.push(Anchor::new([longest, &[opener]].concat(), starts, form));
        }
    }
    anchors
}

/// A literal that the end of a line cuts: in a mail, and in one that is a string of a program, or of one in it.
fn cut(literal: &[u8], starts: Starts) -> Vec<Anchor> {
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
            // What is neither letter nor digit may be escaped there, as it is in some mails.
            let word = behind.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let escaped = [&behind[..word], b"="].concat();
            let mut ways = vec![if word == 0 && form == Form::Backslash { &[] } else { behind }];
            if (1..behind.len()).contains(&word) {
                ways.push(&escaped);
            }
            for behind in ways {
                let anchor = Anchor::new([before, end, behind].concat(), starts, form);
                // Of two parts the longer one, with so much of the line's end as makes it long enough.
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

/// A literal in hexadecimal bytes that are apart.
fn apart(literal: &[u8], starts: Starts) -> Vec<Anchor> {
    let mut anchors = Vec::new();
    for gap in [" ", ", 0x"] {
        for digits in [|byte: &u8| format!("{byte:02x}"), |byte: &u8| format!("{byte:02X}")] {
            let written = literal.iter().map(digits).collect::<Vec<_>>().join(gap);
            anchors.push(Anchor::new(written.into_bytes(), starts, Form::HexBytes));
        }
    }
    anchors
}

/// A literal in base64 and in hexadecimal.
fn dense(literal: &[u8], starts: Starts) -> Vec<Anchor> {
    let in_base64 = |(before, written)| Anchor { before, ..Anchor::new(written, starts, Form::Base64) };
    let in_hex = [|byte: &u8| format!("{byte:02x}"), |byte: &u8| format!("{byte:02X}")]
        .map(|digits| literal.iter().map(digits).collect::<String>())
        .map(|written| Anchor::new(written.into_bytes(), starts, Form::Hex));
    alignments(literal).map(in_base64).into_iter().chain(in_hex).collect()
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
    fn every_form_of_an_anchor_is_met_and_only_in_its_own_window() {
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
    fn the_search_tells_of_each_run_that_says_something() {
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
                let hints = set.search(&text, part.clone(), |_| {});
                let mut has = false;
                runs(&text, &part, &hints, |found| has |= found.run.start == run.start);
                assert!(has, "{part:?} of {}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn the_search_tells_of_an_escape_at_either_end_of_a_long_run() {
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
                    let hints = set.search(text.as_bytes(), part.clone(), |_| {});
                    let mut told = false;
                    runs(text.as_bytes(), &part, &hints, |found| told |= found.form == Form::Percent);
                    assert!(told, "{part:?} of {text:?}");
                }
            }
        }
    }

    #[test]
    fn the_search_tells_of_a_text_that_a_lines_end_cuts() {
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
            let hints = set.search(&written, 0..written.len(), |_| {});
            let mut told = false;
            runs(&written, &(0..written.len()), &hints, |place| {
                told |= place.form == Form::Base64
                    && place.at < start + LEAST
                    && start < place.end.unwrap_or(place.run.end);
            });
            assert!(told, "{before} by {width}, {behind} behind");
        }
    }

    #[test]
    fn no_run_is_told_where_none_says_anything() {
        let set = RuleSet::new(RuleSet::builtin().expect("the rules load")).expect("a set");
        let name = "a_name_that_is_as_long_as_a_run_but_says_nothing_at_all";
        let names = format!("{name}(and a few words);\n").repeat(100);
        for text in [names.clone(), names[..4 * 1024].to_owned(), name.repeat(200), name.repeat(2)] {
            for length in text.len().saturating_sub(BLOCK_BYTES)..text.len() {
                let text = &text.as_bytes()[..length];
                let hints = set.search(text, 0..length, |_| {});
                runs(text, &(0..length), &hints, |place| panic!("{place:?} of {length}"));
            }
        }
    }
}
