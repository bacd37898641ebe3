//! The rules of a run and the one search that looks for the anchors of all of them.

use super::Rule;
use super::file::{SHORTEST_ANCHOR, parse};
use crate::mistake::Mistake;
use aho_corasick::{AhoCorasick, MatchKind, packed};
use std::ops::Range;

/// The rules that came with sf-scan: file name and text.
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));

/// How an anchor is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Plain,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
}

/// What an anchor begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// A match of the rule at this place in [`RuleSet::rules`].
    Match(usize),
    /// The tag of a comment that allows a finding.
    Allow,
}

/// The tag of a comment that allows a finding.
pub const ALLOW_TAG: &str = "sf-scan:allow";

/// A literal that starts every match of a rule, in one of the forms that are read.
#[derive(Debug)]
pub struct Anchor {
    literal: Vec<u8>,
    /// How many of its bytes come before those that are searched for.
    before: usize,
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
    /// The distinct literals to search for; for each, the anchors that may stand where it does.
    candidates: Vec<Vec<usize>>,
    searcher: Searcher,
    longest: usize,
}

/// One pass over the bytes: SIMD where the machine has it, an automaton elsewhere or for very many anchors.
#[derive(Debug)]
enum Searcher {
    Packed(packed::Searcher),
    Automaton(AhoCorasick),
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
    /// Two rules of the same id, or more anchors than can be searched for.
    pub fn new(mut rules: Vec<Rule>) -> Result<RuleSet, Mistake> {
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some(pair) = rules.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(Mistake::new(format!("there are two rules with the id `{}`", pair[0].id)));
        }
        const FORMS: [Form; 3] = [Form::Plain, Form::Utf16Le, Form::Utf16Be];
        let anchor = |literal: &[u8], starts, form: Form| {
            // Of UTF-16 in either order the same bytes are searched for: those from the first letter to the last. None
            // begins with a zero then, which files are full of.
            let before = usize::from(form == Form::Utf16Be);
            Anchor { literal: form.write(literal), before, starts, form }
        };
        let mut anchors: Vec<Anchor> =
            FORMS.map(|form| anchor(ALLOW_TAG.as_bytes(), Starts::Allow, form)).into();
        for (rule, literal) in rules
            .iter()
            .enumerate()
            .flat_map(|(at, rule)| rule.anchors.iter().map(move |anchor| (at, anchor)))
        {
            for form in FORMS {
                anchors.push(anchor(literal, Starts::Match(rule), form));
            }
        }
        // Where two begin with the same bytes, the one that begins before them is met first.
        anchors.sort_by_key(|anchor| std::cmp::Reverse(anchor.before));
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
            (0..anchors.len()).filter(|&anchor| anchors[anchor].core().starts_with(literal)).collect()
        };
        let candidates = shared.iter().map(standing_at).collect();
        let searcher = Searcher::new(&shared)?;
        let longest = anchors.iter().map(|anchor| anchor.literal.len()).max().unwrap_or(0);
        Ok(RuleSet { rules, candidates, searcher, longest, anchors })
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

    /// How many bytes an anchor has at most beyond its first.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.longest.saturating_sub(1)
    }

    /// Whether an anchor stands in this stretch of `bytes`, in part at least. Of an empty stretch: whether one lies across.
    #[must_use]
    pub fn touches(&self, bytes: &[u8], stretch: &Range<usize>) -> bool {
        let reach = self.reach();
        let mut touched = false;
        let own = stretch.start.saturating_sub(reach)..stretch.end;
        self.search(bytes, own, |hit| touched |= hit.at + hit.anchor.literal.len() > stretch.start);
        touched
    }

    /// Calls `visit` for each anchor that begins within `own`, in order.
    pub fn search<'s>(&'s self, bytes: &[u8], own: Range<usize>, mut visit: impl FnMut(Hit<'s>)) {
        let end = bytes.len().min(own.end + self.longest);
        let mut at = own.start;
        while let Some((literal, start)) = self.searcher.next(bytes, at..end) {
            if start > own.end {
                break;
            }
            for &anchor in &self.candidates[literal] {
                let anchor = &self.anchors[anchor];
                let Some(at) = start.checked_sub(anchor.before).filter(|at| own.contains(at)) else {
                    continue;
                };
                if bytes[at..].starts_with(&anchor.literal) {
                    visit(Hit { at, anchor });
                }
            }
            at = start + 1;
        }
    }
}

impl Anchor {
    /// How many bytes it has as it is written.
    #[must_use]
    pub fn length(&self) -> usize {
        self.literal.len()
    }

    /// The bytes that are searched for.
    fn core(&self) -> &[u8] {
        let behind = usize::from(self.form == Form::Utf16Le);
        &self.literal[self.before..self.literal.len() - behind]
    }
}

impl Form {
    fn write(self, literal: &[u8]) -> Vec<u8> {
        match self {
            Form::Plain => literal.to_vec(),
            Form::Utf16Le => literal.iter().flat_map(|&byte| [byte, 0]).collect(),
            Form::Utf16Be => literal.iter().flat_map(|&byte| [0, byte]).collect(),
        }
    }
}

impl Searcher {
    fn new(literals: &[&[u8]]) -> Result<Searcher, Mistake> {
        let mut builder = packed::Config::new().match_kind(packed::MatchKind::LeftmostFirst).builder();
        if let Some(searcher) = builder.extend(literals).build() {
            return Ok(Searcher::Packed(searcher));
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(literals)
            .map_err(|error| Mistake::new(format!("the rules have too many anchors: {error}")))?;
        Ok(Searcher::Automaton(automaton))
    }

    /// The first literal in `span`: its number and where it begins.
    fn next(&self, bytes: &[u8], span: Range<usize>) -> Option<(usize, usize)> {
        if span.start >= span.end {
            return None;
        }
        let found = match self {
            Searcher::Packed(searcher) => searcher.find_in(bytes, span.into()),
            Searcher::Automaton(automaton) => automaton.find(aho_corasick::Input::new(bytes).span(span)),
        }?;
        Some((found.pattern().as_usize(), found.start()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let text = b"..api_..a\0p\0i\0_\0..\0a\0p\0i\0_..api_";
        let hits = |own: Range<usize>| {
            let mut hits = Vec::new();
            set.search(text, own, |hit| hits.push((hit.at, hit.anchor.form)));
            hits
        };
        let all = [(2, Form::Plain), (8, Form::Utf16Le), (18, Form::Utf16Be), (28, Form::Plain)];
        assert_eq!(hits(0..text.len()), all);
        for cut in 0..=text.len() {
            let mut both = hits(0..cut);
            both.extend(hits(cut..text.len()));
            assert_eq!(both, all, "cut at {cut}");
        }
    }
}
