//! Text from a file made fit to show: every key in it masked, every character printable.

use super::joint::{Notes, REACH_AHEAD, REACH_BACK};
use super::reading::{Found, Layer, look};
use super::{Matched, matches, parts};
use crate::finding::Excerpt;
use crate::rule::RuleSet;
use crate::secret::{mask, shapes};
use crate::text::printable;
use memchr::{memchr, memrchr};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// How far around a secret its line is looked at.
const ZONE: usize = 768;

/// How much of a long line is shown on each side.
const SHOWN: usize = 72;

/// How much of a text is looked at together.
const BLOCK: usize = 4 * 1024;

/// A part of a text that is masked, and how many of its first bytes are shown all the same.
type Mask = (Range<usize>, usize);

/// What must not be shown of a text, as far as somebody has asked: each part of it is looked at once, however many secrets
/// stand on its lines.
pub(super) struct Masks<'t> {
    rules: &'t RuleSet,
    text: &'t [u8],
    /// What is noted of it.
    pub(super) notes: Notes<'t>,
    /// For each block what begins in it.
    blocks: RefCell<Vec<Option<Rc<[Mask]>>>>,
    /// What was shown last of the text, and of which part: all that a stream says has the same.
    shown: RefCell<Option<(Mask, Excerpt)>>,
}

impl<'t> Masks<'t> {
    pub(super) fn of(rules: &'t RuleSet, text: &'t [u8]) -> Masks<'t> {
        Masks { rules, text, notes: Notes::new(text), blocks: RefCell::default(), shown: RefCell::default() }
    }

    /// The line of the secret at `span` of `text`, or the part of it around the secret.
    pub(super) fn excerpt(&self, text: &[u8], span: &Range<usize>, prefix: usize) -> Excerpt {
        let what = (span.clone(), prefix);
        let is_own = self.is_own(text);
        if let Some((_, last)) = self.shown.borrow().as_ref().filter(|(last, _)| is_own && *last == what) {
            return last.clone();
        }
        let excerpt = self.excerpt_of(text, span, prefix);
        if is_own {
            *self.shown.borrow_mut() = Some((what, excerpt.clone()));
        }
        excerpt
    }

    /// Whether it is the text that what is seen is kept of.
    fn is_own(&self, text: &[u8]) -> bool {
        std::ptr::eq(text.as_ptr(), self.text.as_ptr()) && text.len() == self.text.len()
    }

    fn excerpt_of(&self, text: &[u8], span: &Range<usize>, prefix: usize) -> Excerpt {
        let zone = zone(text, span);
        let masks = self.within(text, &zone, Some((span.clone(), prefix)));
        let start = zone.start.max(shown_from(text, &masks, span.start.saturating_sub(SHOWN)));
        let end = zone.end.min(shown_from(text, &masks, span.end + SHOWN));
        let mut excerpt = Excerpt { text: String::new(), start: 0, length: 0 };
        if start > zone.start {
            excerpt.text.push('…');
        }
        let mut at = start;
        for (hidden, prefix) in masks.iter().filter(|(hidden, _)| hidden.start >= start && hidden.end <= end)
        {
            excerpt.text.push_str(&visible(&text[at..hidden.start]));
            let masked = printable(mask(&text[hidden.clone()], *prefix).as_bytes());
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

    /// The part `span` of `text` for people, with its keys masked.
    pub(super) fn masked(&self, text: &[u8], span: &Range<usize>) -> String {
        let mut out = String::new();
        let mut at = span.start;
        for (hidden, prefix) in self.within(text, &zone(text, span), None) {
            if hidden.end <= at || hidden.start >= span.end {
                continue;
            }
            out.push_str(&visible(&text[at..hidden.start.max(at)]));
            out.push_str(&mask(&text[hidden.clone()], prefix));
            at = hidden.end;
        }
        out.push_str(&visible(&text[at.min(span.end)..span.end]));
        out
    }

    /// What must not be shown of a zone of `text`, which may be another one: what looks like a key, what a rule's pattern
    /// matches (whatever its filters say), and `own`. In order, without overlaps.
    fn within(&self, text: &[u8], zone: &Range<usize>, own: Option<Mask>) -> Vec<Mask> {
        if !self.is_own(text) {
            return Masks::of(self.rules, text).within(text, zone, own);
        }
        let mut found: Vec<Mask> = own.into_iter().collect();
        found.extend(
            shapes(&text[zone.clone()])
                .into_iter()
                .map(|(span, prefix)| (zone.start + span.start..zone.start + span.end, prefix)),
        );
        // A secret may begin before the zone and reach into it, and the rest of one stand far from its constant.
        let reach = zone.start.saturating_sub(REACH_AHEAD)..text.len().min(zone.end + REACH_BACK);
        for number in reach.start / BLOCK..reach.end.div_ceil(BLOCK) {
            let block = self.block(number);
            let masks = block.iter().filter(|(span, _)| span.end > zone.start && span.start < zone.end);
            found.extend(masks.cloned());
        }
        for (span, prefix) in &mut found {
            if span.start < zone.start {
                (span.start, *prefix) = (zone.start, 0);
            }
            span.end = span.end.min(zone.end);
        }
        found.sort_by_key(|(span, prefix)| (span.start, std::cmp::Reverse(*prefix)));
        let mut merged: Vec<Mask> = Vec::new();
        for (span, prefix) in found {
            match merged.last_mut() {
                Some((last, _)) if span.start < last.end => last.end = last.end.max(span.end),
                _ => merged.push((span, prefix)),
            }
        }
        merged
    }

    /// What a rule's pattern matches that begins in a block, or of which the prefix does.
    fn block(&self, number: usize) -> Rc<[Mask]> {
        if let Some(Some(block)) = self.blocks.borrow().get(number) {
            return Rc::clone(block);
        }
        let mut found: Vec<Mask> = Vec::new();
        let own = number * BLOCK..self.text.len().min((number + 1) * BLOCK);
        look(self.rules, &Layer::of_text(self.text), own, &self.notes, &mut |layer, seen, at| match seen {
            Found::Match(rule) => {
                let rule = &self.rules.rules()[rule];
                for Matched { secret, .. } in matches(rule, layer.text, at) {
                    let prefix =
                        if layer.is_outermost() { rule.prefix(&layer.text[secret.clone()]) } else { 0 };
                    found.push((layer.written(secret), prefix));
                }
            }
            Found::Anchor(rule, first) => {
                let parts = parts(&self.rules.rules()[rule], &first, &self.notes).into_iter();
                found.extend(parts.map(|parts| (layer.written(parts.written), 0)));
            }
            Found::Allow | Found::Cut | Found::Over => {}
        });
        found.dedup();
        let found: Rc<[Mask]> = found.into();
        let mut blocks = self.blocks.borrow_mut();
        if blocks.len() <= number {
            blocks.resize(number + 1, None);
        }
        blocks[number] = Some(Rc::clone(&found));
        found
    }
}

/// The lines of `span`, as far as keys are looked for.
fn zone(text: &[u8], span: &Range<usize>) -> Range<usize> {
    let floor = span.start.saturating_sub(ZONE);
    let ceiling = (span.end + ZONE).min(text.len());
    let start = memrchr(b'\n', &text[floor..span.start]).map_or(floor, |newline| floor + newline + 1);
    let end = memchr(b'\n', &text[span.end..ceiling]).map_or(ceiling, |newline| span.end + newline);
    let start = if text[start..span.start].starts_with(b"\xEF\xBB\xBF") { start + 3 } else { start };
    let end = if text[start..end].ends_with(b"\r") && end > span.end { end - 1 } else { end };
    start..end
}

/// `at`, or the end of the mask or of the character that it would cut.
fn shown_from(text: &[u8], masks: &[(Range<usize>, usize)], at: usize) -> usize {
    let at = masks.iter().find(|(span, _)| span.start < at && at < span.end).map_or(at, |(span, _)| span.end);
    (at..text.len()).take(3).find(|&at| text[at] & 0xC0 != 0x80).unwrap_or(at.min(text.len()))
}

/// Printable, with a tab shown as a space.
fn visible(bytes: &[u8]) -> String {
    let spaced: Vec<u8> = bytes.iter().map(|&byte| if byte == b'\t' { b' ' } else { byte }).collect();
    printable(&spaced)
}
