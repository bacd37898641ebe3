//! Makes text from a file fit to quote: secrets are masked, and every character is printable.
//!
//! An excerpt ends up in public logs. So it shows at most four characters of any secret in the quoted lines, whether that
//! secret is reported or not. Three searches find what to hide:
//!
//! 1. Everything that matches a rule's patterns, before filters and context are applied: plain, encoded, or in pieces.
//! 2. The same patterns on the text without markup and zero bytes. Editors cut a word into runs (`<w:t>`), which detection
//!    may not join.
//! 3. Runs of letters and digits that look random ([`is_random_run`]).
//!
//! The last two are guesses that hide a few characters too many. They apply to quoted text only. In names and paths only what
//! matches a pattern is hidden.

use super::concat::{ConstantIndex, REACH_AHEAD_BYTES, REACH_BACK_BYTES};
use super::layer::Layer;
use super::matching::{joined_secrets, matches_at};
use super::walker::{Candidate, find_candidates};
use crate::finding::Excerpt;
use crate::rule::RuleSet;
use crate::secret::{SHOWN, is_random_run, mask_behind, shapes, shown_len};
use crate::text::printable;
use memchr::{memchr, memmem, memrchr};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::ops::Range;
use std::rc::Rc;

/// The maximum distance from a secret at which its line is searched for other secrets.
const ZONE_BYTES: usize = 768;

/// The length of the quoted text on each side of a secret.
const QUOTED_BYTES: usize = 72;

/// The masks of a text are computed in blocks of this size.
const BLOCK_BYTES: usize = 4 * 1024;

/// The maximum length of a tag inside a word.
const MAX_TAG_BYTES: usize = 256;

/// A part of a text that is hidden, except for its first bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mask {
    span: Range<usize>,
    /// The number of its first bytes that are shown.
    shown_len: usize,
}

impl Mask {
    /// Hides a secret that begins with a known prefix. The prefix and a few more bytes are shown.
    fn from_secret(span: Range<usize>, prefix_len: usize) -> Mask {
        Mask { shown_len: shown_len(span.len(), prefix_len), span }
    }

    /// Hides all of a span: the first characters of its secret may be shown elsewhere.
    fn whole(span: Range<usize>) -> Mask {
        Mask { span, shown_len: 0 }
    }
}

/// What a text is shown for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Source text for people to look at. What looks random is hidden too.
    Quote,
    /// A name in a message. Only what a pattern matches is hidden.
    Name,
}

/// The masks of a text. Each block is searched on first use and once, however many secrets its lines have.
pub(super) struct Masks<'t> {
    rules: &'t RuleSet,
    text: &'t [u8],
    /// The constants of the text, because a constant may hold the prefix of a secret.
    pub(super) constants: ConstantIndex<'t>,
    /// For each block the masks that begin in it. `None` if the block was not searched yet.
    blocks: RefCell<Vec<Option<Rc<[Mask]>>>>,
    /// The last excerpt, and the mask of its secret. All findings of a compressed stream have the same one.
    last_excerpt: RefCell<Option<(Mask, Excerpt)>>,
}

impl<'t> Masks<'t> {
    /// The masks of `text`. Searches nothing yet.
    pub(super) fn new(rules: &'t RuleSet, text: &'t [u8]) -> Masks<'t> {
        Masks {
            rules,
            text,
            constants: ConstantIndex::new(text),
            blocks: RefCell::default(),
            last_excerpt: RefCell::default(),
        }
    }

    /// The line of the secret at `span` of `text`, with all secrets masked. Of a long line, the part around the secret.
    pub(super) fn excerpt(&self, text: &[u8], span: &Range<usize>, prefix_len: usize) -> Excerpt {
        let secret = Mask::from_secret(span.clone(), prefix_len);
        if !self.is_own_text(text) {
            return self.quote(text, &secret);
        }
        if let Some((last_secret, excerpt)) = &*self.last_excerpt.borrow()
            && *last_secret == secret
        {
            return excerpt.clone();
        }
        let excerpt = self.quote(text, &secret);
        *self.last_excerpt.borrow_mut() = Some((secret, excerpt.clone()));
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

    /// Whether `text` is the text of these masks, and not one decoded from it.
    fn is_own_text(&self, text: &[u8]) -> bool {
        std::ptr::eq(text.as_ptr(), self.text.as_ptr()) && text.len() == self.text.len()
    }

    /// Makes the excerpt around a secret. An ellipsis marks a line that is cut.
    fn quote(&self, text: &[u8], secret: &Mask) -> Excerpt {
        let span = &secret.span;
        let zone = line_zone(text, span);
        let masks = self.masks_in(text, &zone, Some(secret), Purpose::Quote);
        let start = zone.start.max(uncut_offset(text, &masks, span.start.saturating_sub(QUOTED_BYTES)));
        let end = zone.end.min(uncut_offset(text, &masks, span.end + QUOTED_BYTES));
        let mut excerpt = Excerpt { text: String::new(), start: 0, length: 0 };
        if start > zone.start {
            excerpt.text.push('…');
        }
        let mut at = start;
        for mask in masks.iter().filter(|mask| mask.span.start >= start && mask.span.end <= end) {
            let hidden = mask.span.clone();
            excerpt.text.push_str(&printable_line(&text[at..hidden.start]));
            let masked = printable(mask_behind(&text[hidden.clone()], mask.shown_len).as_bytes());
            if hidden.contains(&span.start) {
                (excerpt.start, excerpt.length) = (excerpt.text.len(), masked.len());
            }
            excerpt.text.push_str(&masked);
            at = hidden.end;
        }
        excerpt.text.push_str(&printable_line(&text[at..end]));
        if end < zone.end {
            excerpt.text.push('…');
        }
        excerpt
    }

    /// The text at `span` with all secrets masked.
    fn masked(&self, text: &[u8], span: &Range<usize>, purpose: Purpose) -> String {
        let mut out = String::new();
        let mut at = span.start;
        for mask in self.masks_in(text, &line_zone(text, span), None, purpose) {
            let hidden = mask.span;
            if hidden.end <= at || hidden.start >= span.end {
                continue;
            }
            out.push_str(&printable_line(&text[at..hidden.start.max(at)]));
            // The first bytes of a mask that begins before the span are not in the span.
            let shown_len = if hidden.start < span.start { 0 } else { mask.shown_len };
            out.push_str(&mask_behind(&text[hidden.clone()], shown_len));
            at = hidden.end;
        }
        out.push_str(&printable_line(&text[at.min(span.end)..span.end]));
        out
    }

    /// The masks in a zone of `text`, in order and without overlaps. `secret` is the secret that the zone is quoted for.
    fn masks_in(
        &self,
        text: &[u8],
        zone: &Range<usize>,
        secret: Option<&Mask>,
        purpose: Purpose,
    ) -> Vec<Mask> {
        if !self.is_own_text(text) {
            return Masks::new(self.rules, text).masks_in(text, zone, secret, purpose);
        }
        let mut masks: Vec<Mask> = secret.into_iter().cloned().collect();
        for (span, prefix_len) in shapes(&text[zone.clone()]) {
            masks.push(Mask::from_secret(zone.start + span.start..zone.start + span.end, prefix_len));
        }
        // A secret may begin before the zone, and the rest of a secret may be far from the constant with its prefix.
        let reach = zone.start.saturating_sub(REACH_AHEAD_BYTES)..text.len().min(zone.end + REACH_BACK_BYTES);
        for number in reach.start / BLOCK_BYTES..reach.end.div_ceil(BLOCK_BYTES) {
            let block = self.block_masks(number);
            let is_in_zone = |mask: &&Mask| mask.span.end > zone.start && mask.span.start < zone.end;
            masks.extend(block.iter().filter(is_in_zone).cloned());
        }
        if purpose == Purpose::Quote {
            masks.extend(masks_without_markup(self.rules, text, zone));
            let secret_span = secret.map_or(zone.end..zone.end, |secret| secret.span.clone());
            for run in random_runs(text, zone) {
                masks.extend(parts_outside(&run, &secret_span).map(Mask::whole));
            }
        }
        for mask in &mut masks {
            if mask.span.start < zone.start {
                *mask = Mask::whole(zone.start..mask.span.end);
            }
            mask.span.end = mask.span.end.min(zone.end);
        }
        merge_overlapping(masks)
    }

    /// The masks that begin in a block of the text: everything that matches a rule, before filters and context are applied.
    fn block_masks(&self, number: usize) -> Rc<[Mask]> {
        if let Some(Some(block)) = self.blocks.borrow().get(number) {
            return Rc::clone(block);
        }
        let block = number * BLOCK_BYTES..self.text.len().min((number + 1) * BLOCK_BYTES);
        let masks: Rc<[Mask]> = self.search_block(block).into();
        let mut blocks = self.blocks.borrow_mut();
        if blocks.len() <= number {
            blocks.resize(number + 1, None);
        }
        blocks[number] = Some(Rc::clone(&masks));
        masks
    }

    /// Searches a block of the text for what matches a rule.
    fn search_block(&self, block: Range<usize>) -> Vec<Mask> {
        let rules = self.rules.rules();
        let layer = Layer::from_text(self.text);
        let mut masks: Vec<Mask> = Vec::new();
        find_candidates(self.rules, &layer, block, &mut |layer, candidate, at| match candidate {
            Candidate::Match(rule) => {
                for matched in matches_at(&rules[rule], layer.text, at) {
                    let secret = &layer.text[matched.secret.clone()];
                    let prefix_len = if layer.is_outermost() { rules[rule].anchor_len(secret) } else { 0 };
                    masks.push(Mask::from_secret(layer.written(matched.secret), prefix_len));
                }
            }
            Candidate::Anchor(rule, first) => {
                let secrets = joined_secrets(&rules[rule], &first, &self.constants);
                if !secrets.is_empty() {
                    // The rest of the secret may be elsewhere, and its first characters are shown there.
                    let anchor_end = at + first.anchor_len();
                    masks.push(Mask::whole(layer.written(anchor_end..first.end().max(anchor_end))));
                }
                for secret in secrets {
                    masks.push(Mask::from_secret(layer.written(secret.written), 0));
                }
            }
            Candidate::Allow | Candidate::TruncatedStream | Candidate::StreamTooLarge => {}
        });
        masks.retain(|mask| !mask.span.is_empty());
        masks.dedup();
        masks
    }
}

/// Sorts masks and merges those that overlap. A merged mask shows as many bytes as its first mask does.
fn merge_overlapping(mut masks: Vec<Mask>) -> Vec<Mask> {
    masks.sort_by_key(|mask| (mask.span.start, Reverse(mask.shown_len)));
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

/// The runs of letters and digits in a zone that look random. Zero bytes are part of a run: in UTF-16 every second byte is zero.
fn random_runs(text: &[u8], zone: &Range<usize>) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut at = zone.start;
    while at < zone.end {
        let is_in_run = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == 0;
        let run = at..at + text[at..zone.end].iter().take_while(is_in_run).count();
        let characters: Vec<u8> = text[run.clone()].iter().copied().filter(|&byte| byte != 0).collect();
        if is_random_run(&characters) {
            runs.push(run.clone());
        }
        at = run.end + 1;
    }
    runs
}

/// The parts of `run` before and behind `hole`.
fn parts_outside(run: &Range<usize>, hole: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
    let parts = [run.start..run.end.min(hole.start), run.start.max(hole.end)..run.end];
    parts.into_iter().filter(|part| !part.is_empty())
}

/// The masks of secrets in a zone that only markup or zero bytes divide. Also masks what may be the first piece of a longer secret.
fn masks_without_markup(rules: &RuleSet, text: &[u8], zone: &Range<usize>) -> Vec<Mask> {
    let offsets = offsets_without_markup(text, zone);
    let stripped: Vec<u8> = offsets.iter().map(|&at| text[at]).collect();
    let mut masks = Vec::new();
    // Without a prefix, secrets do not begin with an anchor, and a search for anchors cannot find them.
    for rule in rules.rules().iter().filter(|rule| rule.pattern_prefix().is_some()) {
        for anchor in &rule.anchors {
            for at in memmem::find_iter(&stripped, anchor) {
                let secrets = matches_at(rule, &stripped, at).map(|matched| matched.secret);
                for span in secrets.chain(first_piece(&stripped, at, anchor.len())) {
                    let written = offsets[span.start]..offsets[span.end - 1] + 1;
                    masks.push(Mask::from_secret(written, anchor.len()));
                }
            }
        }
    }
    masks
}

/// The range of an anchor and the letters and digits behind it, if they may be a piece of a secret. `None` for words in one case, such
/// as `api_client`, and for pieces that are short enough to be shown.
fn first_piece(text: &[u8], at: usize, anchor_len: usize) -> Option<Range<usize>> {
    let start = at + anchor_len;
    let length = text[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let piece = &text[start..start + length];
    let classes: [fn(&u8) -> bool; 3] = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit];
    let class_count = classes.into_iter().filter(|class| piece.iter().any(class)).count();
    (length > SHOWN && class_count > 1).then_some(at..start + length)
}

/// The offsets in a zone at which there is no markup and no zero byte.
fn offsets_without_markup(text: &[u8], zone: &Range<usize>) -> Vec<usize> {
    let mut offsets = Vec::with_capacity(zone.len());
    let mut at = zone.start;
    while at < zone.end {
        let markup_len = markup_len(&text[at..zone.end]);
        if markup_len == 0 {
            offsets.push(at);
        }
        at += markup_len.max(1);
    }
    offsets
}

/// The length of the markup at the start of `text`: a tag (`</w:t>`), the start or end of a group in RTF (`{\b `), or a zero byte. 0 if
/// there is none.
fn markup_len(text: &[u8]) -> usize {
    match text {
        [0 | b'}', ..] => 1,
        [b'<', b'/' | b'!' | b'?' | b'a'..=b'z' | b'A'..=b'Z', ..] => {
            let tag = &text[1..text.len().min(MAX_TAG_BYTES)];
            match memchr::memchr2(b'<', b'>', tag) {
                Some(end) if tag[end] == b'>' => end + 2,
                _ => 0,
            }
        }
        [b'{', b'\\', control_words @ ..] => {
            let is_in_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'\\';
            let length = control_words.iter().take_while(is_in_word).count();
            2 + length + usize::from(control_words.get(length) == Some(&b' '))
        }
        _ => 0,
    }
}

/// The lines of `span` without the last line end and a byte order mark, at most [`ZONE_BYTES`] on each side.
fn line_zone(text: &[u8], span: &Range<usize>) -> Range<usize> {
    let floor = span.start.saturating_sub(ZONE_BYTES);
    let ceiling = (span.end + ZONE_BYTES).min(text.len());
    let mut start = memrchr(b'\n', &text[floor..span.start]).map_or(floor, |newline| floor + newline + 1);
    let mut end = memchr(b'\n', &text[span.end..ceiling]).map_or(ceiling, |newline| span.end + newline);
    if text[start..span.start].starts_with(b"\xEF\xBB\xBF") {
        start += 3;
    }
    if text[start..end].ends_with(b"\r") && end > span.end {
        end -= 1;
    }
    start..end
}

/// The first offset from `at` on at which the text can be cut: not inside a mask, and not inside a UTF-8 character.
fn uncut_offset(text: &[u8], masks: &[Mask], at: usize) -> usize {
    let cut_mask = masks.iter().find(|mask| mask.span.start < at && at < mask.span.end);
    let at = cut_mask.map_or(at, |mask| mask.span.end);
    let is_character_start = |&at: &usize| text[at] & 0xC0 != 0x80;
    (at..text.len()).take(3).find(is_character_start).unwrap_or(at.min(text.len()))
}

/// Printable text in which a tab is a space.
fn printable_line(bytes: &[u8]) -> String {
    let spaced: Vec<u8> = bytes.iter().map(|&byte| if byte == b'\t' { b' ' } else { byte }).collect();
    printable(&spaced)
}
