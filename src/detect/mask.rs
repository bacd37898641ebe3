//! Text from a file made fit to quote: secrets are masked, every character is printable.
//!
//! An excerpt ends up in public logs. So it shows at most four characters of any secret in the quoted lines, whether that
//! secret is reported or not. Three searches say what to hide:
//!
//! 1. What detection takes for a secret, before its filters and its context have a say: plain, encoded, or in pieces.
//! 2. The same patterns on the text without markup and zero bytes. Editors cut a word into runs (`<w:t>`), which detection
//!    may not join.
//! 3. Runs of letters and digits that look random, whatever stands before them ([`is_random_run`]).
//!
//! The last two are guesses that cost a reader a few characters. They apply to quoted text only: a name or a path is shown as
//! it is, but for what a pattern matches.

use super::concat::{ConstantIndex, REACH_AHEAD_BYTES, REACH_BACK_BYTES};
use super::layer::Layer;
use super::matching::{Matched, matches, parts};
use super::walker::{Candidate, find_candidates};
use crate::finding::Excerpt;
use crate::rule::RuleSet;
use crate::secret::{SHOWN, is_random_run, mask_behind, shapes, shown};
use crate::text::printable;
use memchr::{memchr, memmem, memrchr};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::ops::Range;
use std::rc::Rc;

/// How far around a secret its line is looked at, in bytes.
const ZONE_BYTES: usize = 768;

/// How much of a long line is quoted on each side of a secret, in bytes.
const QUOTED_BYTES: usize = 72;

/// How much of a text is searched together, in bytes.
const BLOCK_BYTES: usize = 4 * 1024;

/// A longer tag is no markup within a word, in bytes.
const MAX_TAG_BYTES: usize = 256;

/// A part of a text that is hidden, but for its first bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mask {
    span: Range<usize>,
    /// How many of its first bytes are shown.
    shown: usize,
}

impl Mask {
    /// Hides a secret that begins with a known prefix of `prefix` bytes.
    fn of_secret(span: Range<usize>, prefix: usize) -> Mask {
        Mask { shown: shown(span.len(), prefix), span }
    }

    /// Hides all: the first characters of that secret may be shown elsewhere.
    fn whole(span: Range<usize>) -> Mask {
        Mask { span, shown: 0 }
    }
}

/// What a text is quoted for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Source text for people to look at: what looks random is hidden too.
    Quote,
    /// A name in a message: only what a pattern matches is hidden.
    Name,
}

/// What must not be shown of a text. Each block of it is searched once, on demand, however many secrets its lines have.
pub(super) struct Masks<'t> {
    rules: &'t RuleSet,
    text: &'t [u8],
    /// Its constants: a prefix may stand in one.
    pub(super) constants: ConstantIndex<'t>,
    /// For each block the masks that begin in it.
    blocks: RefCell<Vec<Option<Rc<[Mask]>>>>,
    /// The last excerpt and the mask that it is about. All findings of a compressed stream have the same one.
    last: RefCell<Option<(Mask, Excerpt)>>,
}

impl<'t> Masks<'t> {
    pub(super) fn new(rules: &'t RuleSet, text: &'t [u8]) -> Masks<'t> {
        Masks {
            rules,
            text,
            constants: ConstantIndex::new(text),
            blocks: RefCell::default(),
            last: RefCell::default(),
        }
    }

    /// The line of the secret at `span` of `text`, or the part of it around the secret.
    pub(super) fn excerpt(&self, text: &[u8], span: &Range<usize>, prefix: usize) -> Excerpt {
        let own = Mask::of_secret(span.clone(), prefix);
        let is_own = self.is_own(text);
        if let Some((_, last)) = self.last.borrow().as_ref().filter(|(last, _)| is_own && *last == own) {
            return last.clone();
        }
        let excerpt = self.quote(text, &own);
        if is_own {
            *self.last.borrow_mut() = Some((own, excerpt.clone()));
        }
        excerpt
    }

    /// Whether `text` is the one whose masks are kept, and not a decoded form of it.
    fn is_own(&self, text: &[u8]) -> bool {
        std::ptr::eq(text.as_ptr(), self.text.as_ptr()) && text.len() == self.text.len()
    }

    fn quote(&self, text: &[u8], own: &Mask) -> Excerpt {
        let span = &own.span;
        let zone = zone(text, span);
        let masks = self.within(text, &zone, Some(own), Purpose::Quote);
        let start = zone.start.max(quoted_from(text, &masks, span.start.saturating_sub(QUOTED_BYTES)));
        let end = zone.end.min(quoted_from(text, &masks, span.end + QUOTED_BYTES));
        let mut excerpt = Excerpt { text: String::new(), start: 0, length: 0 };
        if start > zone.start {
            excerpt.text.push('…');
        }
        let mut at = start;
        for Mask { span: hidden, shown } in
            masks.iter().filter(|mask| mask.span.start >= start && mask.span.end <= end)
        {
            excerpt.text.push_str(&visible(&text[at..hidden.start]));
            let masked = printable(mask_behind(&text[hidden.clone()], *shown).as_bytes());
            if hidden.contains(&span.start) {
                (excerpt.start, excerpt.length) = (excerpt.text.len(), masked.len());
            }
            excerpt.text.push_str(&masked);
            at = hidden.end;
        }
        excerpt.text.push_str(&visible(&text[at..end]));
        if end < zone.end {
            excerpt.text.push('…');
        }
        excerpt
    }

    /// The words of a comment, for people.
    pub(super) fn comment(&self, text: &[u8], span: &Range<usize>) -> String {
        self.masked(text, span, Purpose::Quote)
    }

    /// A name, for people.
    pub(super) fn name(&self, text: &[u8], span: &Range<usize>) -> String {
        self.masked(text, span, Purpose::Name)
    }

    fn masked(&self, text: &[u8], span: &Range<usize>, purpose: Purpose) -> String {
        let mut out = String::new();
        let mut at = span.start;
        for Mask { span: hidden, shown } in self.within(text, &zone(text, span), None, purpose) {
            if hidden.end <= at || hidden.start >= span.end {
                continue;
            }
            out.push_str(&visible(&text[at..hidden.start.max(at)]));
            // A mask that begins before the part has shown its first bytes there.
            let shown = if hidden.start < span.start { 0 } else { shown };
            out.push_str(&mask_behind(&text[hidden.clone()], shown));
            at = hidden.end;
        }
        out.push_str(&visible(&text[at.min(span.end)..span.end]));
        out
    }

    /// What must not be shown of a zone of `text`: in order, without overlaps. `own` is the secret that it is quoted for.
    fn within(&self, text: &[u8], zone: &Range<usize>, own: Option<&Mask>, purpose: Purpose) -> Vec<Mask> {
        if !self.is_own(text) {
            return Masks::new(self.rules, text).within(text, zone, own, purpose);
        }
        let mut masks: Vec<Mask> = own.into_iter().cloned().collect();
        let shapes = shapes(&text[zone.clone()]).into_iter();
        masks.extend(
            shapes.map(|(span, prefix)| {
                Mask::of_secret(zone.start + span.start..zone.start + span.end, prefix)
            }),
        );
        // A secret may begin before the zone and reach into it, and the rest of one stand far from its constant.
        let reach = zone.start.saturating_sub(REACH_AHEAD_BYTES)..text.len().min(zone.end + REACH_BACK_BYTES);
        for number in reach.start / BLOCK_BYTES..reach.end.div_ceil(BLOCK_BYTES) {
            let block = self.block(number);
            let is_near = |mask: &&Mask| mask.span.end > zone.start && mask.span.start < zone.end;
            masks.extend(block.iter().filter(is_near).cloned());
        }
        if purpose == Purpose::Quote {
            masks.extend(without_markup(self.rules, text, zone));
            let own = own.map_or(zone.end..zone.end, |own| own.span.clone());
            masks.extend(
                random_runs(text, zone).into_iter().flat_map(|run| outside(&run, &own)).map(Mask::whole),
            );
        }
        for mask in &mut masks {
            if mask.span.start < zone.start {
                *mask = Mask::whole(zone.start..mask.span.end);
            }
            mask.span.end = mask.span.end.min(zone.end);
        }
        masks.sort_by_key(|mask| (mask.span.start, Reverse(mask.shown)));
        let mut merged: Vec<Mask> = Vec::new();
        for mask in masks {
            match merged.last_mut() {
                Some(last) if mask.span.start < last.span.end => {
                    last.span.end = last.span.end.max(mask.span.end);
                }
                _ => merged.push(mask),
            }
        }
        merged
    }

    /// The secrets that begin in a block of the text, or whose prefix does, before filters and context have a say.
    fn block(&self, number: usize) -> Rc<[Mask]> {
        if let Some(Some(block)) = self.blocks.borrow().get(number) {
            return Rc::clone(block);
        }
        let mut masks: Vec<Mask> = Vec::new();
        let own = number * BLOCK_BYTES..self.text.len().min((number + 1) * BLOCK_BYTES);
        find_candidates(self.rules, &Layer::from_text(self.text), own, &mut |layer, found, at| match found {
            Candidate::Match(rule) => {
                let rule = &self.rules.rules()[rule];
                for Matched { secret, .. } in matches(rule, layer.text, at) {
                    let prefix =
                        if layer.is_outermost() { rule.anchor_len(&layer.text[secret.clone()]) } else { 0 };
                    masks.push(Mask::of_secret(layer.written(secret), prefix));
                }
            }
            Candidate::Anchor(rule, first) => {
                let parts = parts(&self.rules.rules()[rule], &first, &self.constants);
                if !parts.is_empty() {
                    // Where the rest stands elsewhere, its first characters are shown there.
                    let prefix = at..at + first.anchor_length();
                    masks.push(Mask::whole(layer.written(prefix.end..first.end().max(prefix.end))));
                }
                masks.extend(parts.into_iter().map(|parts| Mask::of_secret(layer.written(parts.written), 0)));
            }
            Candidate::Allow | Candidate::TruncatedStream | Candidate::StreamTooLarge => {}
        });
        masks.retain(|mask| !mask.span.is_empty());
        masks.dedup();
        let masks: Rc<[Mask]> = masks.into();
        let mut blocks = self.blocks.borrow_mut();
        if blocks.len() <= number {
            blocks.resize(number + 1, None);
        }
        blocks[number] = Some(Rc::clone(&masks));
        masks
    }
}

/// The runs of letters and digits in a zone that look random. A zero byte does not end one: in UTF-16 each second byte is one.
fn random_runs(text: &[u8], zone: &Range<usize>) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut at = zone.start;
    while at < zone.end {
        let length = text[at..zone.end].iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || byte == 0);
        let run = at..at + length.count();
        let letters: Vec<u8> = text[run.clone()].iter().copied().filter(|&byte| byte != 0).collect();
        if is_random_run(&letters) {
            runs.push(run.clone());
        }
        at = run.end + 1;
    }
    runs
}

/// What of `run` lies before and behind `own`.
fn outside(run: &Range<usize>, own: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
    let parts = [run.start..run.end.min(own.start), run.start.max(own.end)..run.end];
    parts.into_iter().filter(|part| !part.is_empty())
}

/// The secrets in a zone that only markup or zero bytes cut, and what may be the first piece of a longer one.
fn without_markup(rules: &RuleSet, text: &[u8], zone: &Range<usize>) -> Vec<Mask> {
    let places = places_without_markup(text, zone);
    let letters: Vec<u8> = places.iter().map(|&place| text[place]).collect();
    let written = |span: Range<usize>| places[span.start]..places[span.end - 1] + 1;
    let mut masks = Vec::new();
    // Only the secrets of such rules begin with an anchor.
    for rule in rules.rules().iter().filter(|rule| rule.pattern_prefix().is_some()) {
        for anchor in &rule.anchors {
            for at in memmem::find_iter(&letters, anchor) {
                let spans = matches(rule, &letters, at).map(|matched| matched.secret);
                let spans = spans.chain(first_piece(&letters, at, anchor.len()));
                masks.extend(spans.map(|span| Mask::of_secret(written(span), anchor.len())));
            }
        }
    }
    masks
}

/// An anchor and the letters and digits behind it, if these may be a piece of a secret: more than may be shown, and no word
/// in one case, such as `api_client`.
fn first_piece(text: &[u8], at: usize, anchor: usize) -> Option<Range<usize>> {
    let start = at + anchor;
    let length = text[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let piece = &text[start..start + length];
    let any = |class: fn(&u8) -> bool| piece.iter().any(class);
    let kinds = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit].map(any);
    let is_mixed = kinds.into_iter().filter(|&has| has).count() > 1;
    (length > SHOWN && is_mixed).then_some(at..start + length)
}

/// The places in a zone that hold no markup and no zero byte.
fn places_without_markup(text: &[u8], zone: &Range<usize>) -> Vec<usize> {
    let mut places = Vec::with_capacity(zone.len());
    let mut at = zone.start;
    while at < zone.end {
        let markup = markup_length(&text[at..zone.end]);
        if markup == 0 {
            places.push(at);
        }
        at += markup.max(1);
    }
    places
}

/// How many bytes at the start of `text` are a tag (`</w:t>`), the start or end of a group in RTF (`{\b `), or a zero byte.
fn markup_length(text: &[u8]) -> usize {
    match text {
        [0 | b'}', ..] => 1,
        [b'<', b'/' | b'!' | b'?' | b'a'..=b'z' | b'A'..=b'Z', ..] => {
            let tag = &text[1..text.len().min(MAX_TAG_BYTES)];
            match memchr::memchr2(b'<', b'>', tag) {
                Some(end) if tag[end] == b'>' => end + 2,
                _ => 0,
            }
        }
        [b'{', b'\\', word @ ..] => {
            let length =
                word.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'\\').count();
            2 + length + usize::from(word.get(length) == Some(&b' '))
        }
        _ => 0,
    }
}

/// The lines of `span`, as far as keys are looked for.
fn zone(text: &[u8], span: &Range<usize>) -> Range<usize> {
    let floor = span.start.saturating_sub(ZONE_BYTES);
    let ceiling = (span.end + ZONE_BYTES).min(text.len());
    let start = memrchr(b'\n', &text[floor..span.start]).map_or(floor, |newline| floor + newline + 1);
    let end = memchr(b'\n', &text[span.end..ceiling]).map_or(ceiling, |newline| span.end + newline);
    let start = if text[start..span.start].starts_with(b"\xEF\xBB\xBF") { start + 3 } else { start };
    let end = if text[start..end].ends_with(b"\r") && end > span.end { end - 1 } else { end };
    start..end
}

/// `at`, or the end of the mask or of the character that it would cut.
fn quoted_from(text: &[u8], masks: &[Mask], at: usize) -> usize {
    let cut = masks.iter().find(|mask| mask.span.start < at && at < mask.span.end);
    let at = cut.map_or(at, |mask| mask.span.end);
    (at..text.len()).take(3).find(|&at| text[at] & 0xC0 != 0x80).unwrap_or(at.min(text.len()))
}

/// Printable, with a tab shown as a space.
fn visible(bytes: &[u8]) -> String {
    let spaced: Vec<u8> = bytes.iter().map(|&byte| if byte == b'\t' { b' ' } else { byte }).collect();
    printable(&spaced)
}
