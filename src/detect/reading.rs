//! Reading: where a rule's pattern matches, in the bytes as they stand and in what they say once they are decoded.
//!
//! First a quick look: the search for anchors and [`runs`] lead to places where an encoding is used; what stands there is
//! decoded without the way back, and looked at in the same way, so that an encoding may hold another one. What was found is
//! then read once more in a stretch that depends on its place alone ([`Reading`]), so that nothing depends on how the looks
//! were cut.

use super::joint::First;
use super::{LONGEST_MATCH, Parts, matches};
use crate::decode::{
    Decoded, Ended, Form, LONGEST_STREAM, Place, Said, Skim, begins_escape, compression, inflate, runs,
};
use crate::input::{Blob, MARGIN};
use crate::rule::{Hit, RuleSet, Starts};
use crate::text::{Encoding, View};
use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::rc::Rc;

/// How many encodings may lie in each other.
const DEEPEST: usize = 4;

/// How far before a place it is decoded for context.
const BACK: usize = 3 * 1024;

/// How far from a place on it is decoded: through three encodings a key has 7,776 characters at most.
const AHEAD: usize = MARGIN;

const _: () = assert!(LONGEST_ANCHOR <= BEFORE_RUN);

/// How much of a long run is looked at together.
const STEP: usize = 8 * MARGIN;

/// The same of digits: nothing else stands among them.
const STEP_OF_DIGITS: usize = 32 * MARGIN;

/// How many bytes an anchor has at most where it is encoded.
const LONGEST_ANCHOR: usize = 96;

/// How far behind what is looked at it is decoded to see whether an anchor begins there, escaped at length.
const PEEK: usize = 2 * 1024;

/// How many bytes are decoded at most to look for streams in a blob.
const MOST_SKIMMED: usize = 64 << 20;

/// How much is looked at first where a stream could begin.
const SHORT_STREAM: usize = 1024;

/// How many bytes of escapes are looked at together where there were none shortly before.
const FEW: usize = 512;

/// How far before a run something could begin that is read together with it: the rest of a line before.
const BEFORE_RUN: usize = 256;

/// The same before what was cut by where a look begins: a line of what is encoded twice more in it.
const BEFORE_LOOK: usize = 4 * 1024;

/// Text that is looked at: the bytes of a blob, or what a part of the text around says.
pub(super) struct Layer<'l> {
    pub(super) text: &'l [u8],
    /// How the bytes of a blob are written as a whole, and how far into a unit they begin.
    encoding: Encoding,
    shift: usize,
    /// What it is read from; nothing for the bytes of a blob.
    outer: Option<Outer<'l>>,
    depth: usize,
    /// The streams that were read last in a blob: one, and one in each.
    inflated: RefCell<Vec<Rc<Inflated>>>,
}

/// A compressed stream that was read for a finding in it.
struct Inflated {
    /// What is decoded to get at it, and where in the blob it begins.
    way: Vec<Step>,
    start: usize,
    /// The texts on the way, and what it says.
    steps: Vec<(Form, Rc<Decoded>)>,
    /// Where it begins in the last of those.
    at: usize,
    said: Said,
}

/// The text that another one is read from.
struct Outer<'l> {
    layer: &'l Layer<'l>,
    form: Form,
    /// Where and how far it is decoded.
    at: usize,
    reach: Range<usize>,
    /// The way back, once somebody asked.
    decoded: OnceCell<Decoded>,
}

impl Outer<'_> {
    fn view(&self) -> &View {
        &self.decoded.get_or_init(|| self.form.decode(self.layer.text, self.at, self.reach.clone())).view
    }
}

impl<'l> Layer<'l> {
    pub(super) fn of(blob: &Blob<'l>) -> Layer<'l> {
        let shift = (blob.start.offset % 4) as usize;
        Layer { encoding: blob.encoding, shift, ..Layer::of_text(blob.bytes) }
    }

    /// Text of which no more is known.
    pub(super) fn of_text(text: &'l [u8]) -> Layer<'l> {
        Layer {
            text,
            encoding: Encoding::Utf8,
            shift: 0,
            outer: None,
            depth: 0,
            inflated: RefCell::default(),
        }
    }

    /// Whether it is the bytes of a blob.
    pub(super) fn is_outermost(&self) -> bool {
        self.outer.is_none()
    }

    /// The text from `from` on, as far as the blob goes.
    fn rest(&self, from: usize) -> Cow<'_, [u8]> {
        match &self.outer {
            Some(outer) if !outer.form.is_stream() => {
                let start = outer.reach.start;
                let rest = outer.layer.rest(start);
                let text = outer.form.skim(&rest, outer.at - start, 0..rest.len(), rest.len()).text;
                text.get(from..).unwrap_or_default().to_vec().into()
            }
            _ => self.text[from..].into(),
        }
    }

    /// The bytes of the blob.
    fn outermost(&self) -> &Layer<'_> {
        self.outer.as_ref().map_or(self, |outer| outer.layer.outermost())
    }

    /// What a part of it says.
    fn inner<'i>(&'i self, text: &'i [u8], form: Form, at: usize, reach: Range<usize>) -> Layer<'i> {
        let outer = Some(Outer { layer: self, form, at, reach, decoded: OnceCell::new() });
        Layer { outer, depth: self.depth + 1, ..Layer::of_text(text) }
    }

    /// Where a part of the text is in the blob.
    pub(super) fn written(&self, part: Range<usize>) -> Range<usize> {
        match &self.outer {
            // Nobody knows which bytes of it a stream says something by: all of them.
            Some(outer) if outer.form.is_stream() => outer.layer.written(outer.reach.clone()),
            Some(outer) => {
                // A stream may go on behind the part that the layer was decoded from.
                let view = outer.view();
                let end = part.end.min(view.text.len());
                outer.layer.written(view.written(&(part.start.min(end)..end)))
            }
            None => part,
        }
    }

    /// The way to the byte `at`, from the blob on, and where in the blob it begins.
    fn way(&self, at: usize) -> (Vec<Step>, usize) {
        let Some(outer) = &self.outer else { return (Vec::new(), at) };
        if outer.form.is_stream() {
            let (mut steps, start) = outer.layer.way(0);
            steps.push(Step { form: outer.form, beyond: at });
            return (steps, start);
        }
        let beyond = at % outer.form.group();
        let (mut steps, start) = outer.layer.way(outer.view().start(at - beyond));
        steps.push(Step { form: outer.form, beyond });
        (steps, start)
    }

    /// Whether it is what a compressed stream says, or decoded from that.
    fn is_of_stream(&self) -> bool {
        self.outer.as_ref().is_some_and(|outer| outer.form.is_stream() || outer.layer.is_of_stream())
    }

    /// Whether all of the way from the blob is in units of several bytes.
    fn is_page(&self) -> bool {
        self.outer.as_ref().is_none_or(|outer| matches!(outer.form, Form::Wide(_)) && outer.layer.is_page())
    }
}

/// What is decoded from one text to the next on the way to a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Step {
    form: Form,
    /// How many bytes behind the start of its group the byte is.
    beyond: usize,
}

/// What was come by.
pub(super) enum Found<'t, 'r> {
    /// A match of the rule at this place of [`RuleSet::rules`].
    Match(usize),
    /// An anchor of that rule where its patterns do not match, but a secret could be written in parts.
    Anchor(usize, First<'t, 'r>),
    /// The tag of a comment that allows a finding, in text as it stands.
    Allow,
    /// A compressed stream that goes on behind the bytes of the blob.
    Cut,
    /// A compressed stream that says more than is looked at.
    Over,
}

/// Looks for what begins in the part `own` of the layer, in it and in what it says. `found` gets the layer, what was
/// found, and where in the layer's text it begins.
pub(super) fn look(
    rules: &RuleSet,
    layer: &Layer<'_>,
    own: Range<usize>,
    found: &mut dyn FnMut(&Layer<'_>, Found<'_, '_>, usize),
) {
    Look { rules, found, said: 0, skimmed: 0 }.at(layer, own);
}

struct Look<'r, 'f> {
    rules: &'r RuleSet,
    found: &'f mut dyn FnMut(&Layer<'_>, Found<'_, '_>, usize),
    /// How many bytes the outermost stream has said, with all streams in it.
    said: usize,
    /// How many bytes were decoded to look for streams.
    skimmed: usize,
}

/// What was decoded of a layer and looked at.
struct Seen {
    form: Form,
    part: Range<usize>,
    skim: Skim,
}

impl Look<'_, '_> {
    fn at(&mut self, layer: &Layer<'_>, own: Range<usize>) {
        let rules = self.rules;
        let mut seen: Vec<Seen> = Vec::new();
        // An anchor in another form may be told by a place that is not quite its first, and runs are looked at as far.
        let around = own.start.saturating_sub(LONGEST_ANCHOR)..own.end + BEFORE_RUN;
        // Up to where the last stream goes: its members, each on a line, are none of their own.
        let mut read = own.start;
        let hints = rules.search(layer.text, around, |hit| {
            if hit.anchor.starts == Starts::Stream {
                if (read..own.end).contains(&hit.at) {
                    read = self.stream(layer, hit.anchor.form, hit.at).max(read);
                }
            } else if hit.anchor.form != Form::Plain {
                self.encoded(layer, hit, own.start, &mut seen);
            } else if own.contains(&hit.at) {
                self.plain(layer, hit);
            }
        });
        if layer.depth == DEEPEST {
            return;
        }
        let unit = layer.encoding.unit();
        if unit > 1 {
            let at = own.start + (unit - (layer.shift + own.start) % unit) % unit;
            let form = Form::Wide(layer.encoding);
            let place = Place { form, at, end: None, run: own.clone() };
            self.run(layer, place, own.start, &mut seen);
        }
        // What begins at the end of a line may be met on the next one.
        let around = own.start..own.end + BEFORE_RUN;
        runs(layer.text, &around, &hints, |place| self.run(layer, place, own.start, &mut seen));
    }

    /// Looks at what begins with an anchor that stands as it is.
    fn plain(&mut self, layer: &Layer<'_>, hit: Hit<'_>) {
        match hit.anchor.starts {
            Starts::Allow if layer.is_page() => (self.found)(layer, Found::Allow, hit.at),
            Starts::Allow | Starts::Stream => {}
            Starts::Match(place) => {
                let rule = &self.rules.rules()[place];
                if matches(rule, layer.text, hit.at).next().is_some() {
                    (self.found)(layer, Found::Match(place), hit.at);
                } else if let Some(first) =
                    rule.head().and_then(|head| First::read(layer.text, hit.at, hit.anchor.length(), head))
                {
                    (self.found)(layer, Found::Anchor(place, first), hit.at);
                }
            }
        }
    }

    /// Looks at what an anchor in another form leads to. The look began at `own`.
    fn encoded(&mut self, layer: &Layer<'_>, hit: Hit<'_>, own: usize, seen: &mut Vec<Seen>) {
        let Starts::Match(rule) = hit.anchor.starts else { return };
        if layer.depth == DEEPEST {
            return;
        }
        let Form::Wide(encoding) = hit.anchor.form else {
            let (form, at) = (hit.anchor.form, hit.at);
            return self.run(layer, Place { form, at, end: None, run: at..at + 1 }, own, seen);
        };
        if self.is_twin(layer, rule, hit.at, encoding) {
            return;
        }
        let reach = hit.at..hit.at + AHEAD;
        let skim = hit.anchor.form.skim(layer.text, hit.at, reach.clone(), hit.at);
        let inner = layer.inner(&skim.text, hit.anchor.form, hit.at, reach);
        // What is read in the wrong order reads the same, a byte farther on: only the anchor counts.
        self.rules.search(inner.text, 0..1, |hit| {
            if hit.anchor.form == Form::Plain {
                self.plain(&inner, hit);
            }
        });
    }

    /// Looks at what a compressed stream says that is written in `form` from `at` on, and tells where it ends.
    fn stream(&mut self, layer: &Layer<'_>, form: Form, at: usize) -> usize {
        if layer.depth == DEEPEST {
            return at;
        }
        if !layer.is_of_stream() {
            self.said = 0;
        }
        let most = LONGEST_STREAM - self.said;
        // Most are none, and short.
        let mut ahead = SHORT_STREAM;
        let (mut skim, mut kind, mut said);
        loop {
            let end = layer.text.len().min(at + ahead);
            skim = form.skim(layer.text, at, at..end, end);
            self.skimmed += skim.text.len();
            let Some(found) = compression(&skim.text) else { return at };
            if self.skimmed > MOST_SKIMMED {
                (self.found)(layer, Found::Over, at);
                return at;
            }
            kind = found;
            said = inflate(kind, &skim.text, most);
            if said.ended != Ended::Cut || end == layer.text.len() || !goes_on(&layer.text[..end], skim.end())
            {
                break;
            }
            ahead *= 4;
        }
        let mut start = 0;
        let mut is_cut = said.ended == Ended::Cut;
        if is_cut && begins_escape(&layer.text[skim.end()..]) {
            // It is read where the escapes are.
            return at;
        }
        is_cut &= goes_on(layer.text, skim.end());
        if is_cut && layer.outer.is_some() {
            // What the layer is read from goes on.
            let rest = layer.rest(at);
            start = at;
            skim = form.skim(&rest, 0, 0..rest.len(), rest.len());
            self.skimmed += skim.text.len();
            said = inflate(kind, &skim.text, most);
            is_cut = said.ended == Ended::Cut && goes_on(&rest, skim.end());
        }
        if is_cut {
            (self.found)(layer, Found::Cut, at);
        } else if said.ended == Ended::Over {
            (self.found)(layer, Found::Over, at);
        }
        self.said += said.text.len();
        let bytes = layer.inner(&skim.text, form, at, at..layer.text.len());
        // Both count as one.
        let inner = Layer { depth: layer.depth + 1, ..bytes.inner(&said.text, kind, 0, 0..said.length) };
        self.at(&inner, 0..said.text.len());
        // What says nothing is none, and hides no other one.
        if said.text.is_empty() { at } else { start + skim.end_of(form, said.length) }
    }

    /// Whether what is read at `at` in units of several bytes is rather read in the other order: between ASCII characters
    /// the text is the same in both. The order of the file counts, or else the one that makes whole units from its start.
    fn is_twin(&self, layer: &Layer<'_>, rule: usize, at: usize, encoding: Encoding) -> bool {
        let (other, low_first) = encoding.other_order();
        let shift = encoding.unit() - 1;
        let twin = if low_first { at.checked_sub(shift) } else { Some(at + shift) };
        let is_at_home = match (layer.is_outermost(), layer.encoding) {
            (true, Encoding::Utf8) => (layer.shift + at).is_multiple_of(encoding.unit()),
            (true, own) => own == encoding,
            (false, _) => low_first,
        };
        let reads = |at: usize| {
            let skim = Form::Wide(other).skim(layer.text, at, at..at + 2 * LONGEST_MATCH, at);
            matches(&self.rules.rules()[rule], &skim.text, 0).next().is_some()
        };
        !is_at_home && twin.is_some_and(|at| at <= layer.text.len() && reads(at))
    }

    /// Looks at a run from a place on, where something could be decoded. The look began at `own`.
    fn run(&mut self, layer: &Layer<'_>, place: Place, own: usize, seen: &mut Vec<Seen>) {
        let Place { form, mut at, run, .. } = place;
        let end = place.end.unwrap_or(run.end);
        // Lines that are read together are runs of their own; of one that begins in what was read the rest is left.
        let is_seen = |seen: &&Seen, at| {
            seen.form == form && seen.part.contains(&at) && seen.skim.has_read(form, layer.text, at)
        };
        while let Some(seen) = seen.iter().rev().find(|seen| is_seen(seen, at)) {
            if end <= seen.part.end {
                return;
            }
            at = seen.skim.next.max(at + 1);
        }
        // Where what was read ends, and not in the midst of it: digits may be read in another phase there.
        let is_near = seen.iter().any(|seen| {
            seen.form == form && at < seen.part.end + FEW && (form.is_escape() || at + FEW >= seen.part.end)
        });
        let step = match form {
            Form::Base64 | Form::Hex if end == run.end || place.end.is_none() => STEP_OF_DIGITS,
            // Where escapes are few, or digits that say something, little is read beyond them.
            Form::Base64 | Form::Hex => (end - at).clamp(FEW, STEP),
            _ if form.is_escape() && !is_near => (end - at).clamp(FEW, STEP),
            _ => STEP,
        };
        let mut back = if is_near || at < own + BEFORE_RUN { BEFORE_LOOK } else { BEFORE_RUN };
        while at < end {
            let border = place.end.map_or(at + step, |end| end.min(at + step));
            let start = at.saturating_sub(back);
            // Little is decoded twice: first to see whether it leads on, then with all that may belong to it.
            let is_little = step < STEP;
            let ahead = if is_little { PEEK } else { AHEAD };
            let mut skim = form.skim(layer.text, at, start..border + ahead, border);
            let is_worth = !skim.is_plain() && (!is_little || self.leads_on(&skim, layer.depth + 1));
            if is_worth {
                let reach = start..border + AHEAD;
                if is_little {
                    skim = form.skim(layer.text, at, reach.clone(), border);
                }
                self.at(&layer.inner(&skim.text, form, at, reach), 0..skim.own);
            }
            let mut alike = seen.iter().enumerate().filter(|(_, seen)| seen.form == form);
            if let (Some((oldest, _)), 4..) = (alike.clone().next(), alike.by_ref().count()) {
                seen.remove(oldest);
            }
            let next = skim.next.max(at + 1);
            seen.push(Seen { form, part: at..border, skim });
            (at, back) = (next, BEFORE_LOOK);
        }
    }

    /// Whether something begins in what a part of a layer says that has to be looked at.
    fn leads_on(&self, skim: &Skim, depth: usize) -> bool {
        let mut leads = false;
        let hints = self.rules.search(&skim.text, 0..skim.own + LONGEST_ANCHOR, |_| leads = true);
        if !leads && depth < DEEPEST {
            runs(&skim.text, &(0..skim.own + BEFORE_RUN), &hints, |_| leads = true);
        }
        leads
    }
}

/// Whether what ends at `end` of a text could go on behind the text.
fn goes_on(text: &[u8], end: usize) -> bool {
    text[end..].iter().all(u8::is_ascii_whitespace)
}

/// The text around a match, as far as it decides, and the texts that it is written in.
pub(super) struct Reading<'a> {
    bytes: &'a [u8],
    /// From the blob on: the form, and what it says.
    steps: Vec<(Form, Rc<Decoded>)>,
    /// Where the match begins in the innermost text.
    pub(super) at: usize,
}

impl<'a> Reading<'a> {
    /// Reads what is around the byte `at` of a layer of the blob.
    pub(super) fn of(bytes: &'a [u8], layer: &Layer<'_>, at: usize) -> Reading<'a> {
        let (way, start) = layer.way(at);
        let mut at = start;
        let mut reading = Reading { bytes, steps: Vec::with_capacity(way.len()), at };
        let streams: Vec<usize> = (0..way.len()).filter(|&step| way[step].form.is_stream()).collect();
        let mut done = 0;
        for (number, &stream) in streams.iter().enumerate() {
            let Step { form, beyond } = way[stream];
            let inflated = reading.inflated(layer.outermost(), start, number, &way[..stream], done, form);
            reading.steps.clone_from(&inflated.steps);
            let Said { text, length, .. } = &inflated.said;
            // A stream in it is read to its end.
            let end = if number + 1 < streams.len() { text.len() } else { text.len().min(beyond + AHEAD) };
            let near = beyond.saturating_sub(BACK)..end;
            let mut view = View::with_capacity(near.len());
            let run = inflated.at..inflated.at + length;
            text[near.clone()].iter().for_each(|&byte| view.push(byte, run.clone()));
            at = beyond - near.start;
            reading.at = at;
            reading.steps.push((form, Rc::new(Decoded { view, run })));
            done = stream + 1;
        }
        for &Step { form, beyond } in &way[done..] {
            let decoded = form.decode(reading.text(), at, at.saturating_sub(BACK)..at + AHEAD);
            at = decoded.view.position(at) + beyond;
            reading.steps.push((form, Rc::new(decoded)));
        }
        reading.at = at;
        reading
    }

    /// The stream that is read by this way from `start` in the blob on, of which so many steps are done. It is the one of
    /// that number on the way.
    fn inflated(
        &self,
        blob: &Layer<'_>,
        start: usize,
        number: usize,
        way: &[Step],
        done: usize,
        form: Form,
    ) -> Rc<Inflated> {
        let last = blob.inflated.borrow().get(number).cloned();
        if let Some(last) = last.filter(|last| last.start == start && last.way == way) {
            return last;
        }
        let mut steps = self.steps.clone();
        let mut at = self.at;
        for &Step { form, beyond } in &way[done..] {
            let text = steps.last().map_or(self.bytes, |(_, decoded)| &decoded.view.text);
            let decoded = form.decode(text, at, at.saturating_sub(BACK)..text.len());
            at = decoded.view.position(at) + beyond;
            steps.push((form, Rc::new(decoded)));
        }
        let text = steps.last().map_or(self.bytes, |(_, decoded)| &decoded.view.text);
        let said = inflate(form, &text[at..], LONGEST_STREAM);
        let inflated = Rc::new(Inflated { way: way.to_vec(), start, steps, at, said });
        let mut kept = blob.inflated.borrow_mut();
        kept.truncate(number);
        kept.push(Rc::clone(&inflated));
        inflated
    }

    /// The same, where what begins with the match is written in parts, as if it were written in one piece.
    pub(super) fn joined(mut self, parts: &Parts) -> Reading<'a> {
        let text = self.text();
        let near = self.at.saturating_sub(MARGIN)..text.len().min(self.at + MARGIN);
        let written = parts.written.clone();
        let mut view = View::with_capacity(near.len());
        view.push_part(text, near.start..written.start);
        let at = view.text.len();
        view.append(&parts.secret);
        view.push_part(text, written.end..near.end);
        self.steps.push((Form::Parts, Rc::new(Decoded { view, run: near })));
        self.at = at;
        self
    }

    /// The decoded text.
    pub(super) fn text(&self) -> &[u8] {
        self.steps.last().map_or(self.bytes, |(_, decoded)| &decoded.view.text)
    }

    /// Where a part of the decoded text is in the blob.
    pub(super) fn written(&self, part: Range<usize>) -> Range<usize> {
        self.steps.iter().rev().fold(part, |part, (_, decoded)| decoded.view.written(&part))
    }

    /// The texts to look for context in, from the inside out, each with the part that context is about: the match, or the
    /// run that it is encoded in.
    pub(super) fn surroundings(&self, part: &Range<usize>) -> Vec<(&[u8], Range<usize>)> {
        let mut surroundings = vec![(self.text(), part.clone())];
        for (place, (form, decoded)) in self.steps.iter().enumerate().rev() {
            // Escapes stand in text that is decoded with them.
            if matches!(form, Form::Base64 | Form::Hex | Form::HexBytes) {
                let outer = place.checked_sub(1).map_or(self.bytes, |outer| &self.steps[outer].1.view.text);
                surroundings.push((outer, decoded.run.clone()));
            }
        }
        surroundings
    }

    /// The text that people see, and where in it a part of the decoded text is: that of the blob, in units of one byte.
    pub(super) fn page(&self, part: Range<usize>) -> (&[u8], Range<usize>) {
        let wide = self.steps.iter().take_while(|(form, _)| matches!(form, Form::Wide(_))).count();
        let inner = self.steps[wide..].iter().rev();
        let part = inner.fold(part, |part, (_, decoded)| decoded.view.written(&part));
        let text = wide.checked_sub(1).map_or(self.bytes, |last| &self.steps[last].1.view.text);
        (text, part)
    }

    /// Whether a part is encoded on lines of its own. What is read before and behind it is encoded by itself too, and goes on
    /// with it in no text.
    pub(super) fn fills_lines(&self, part: &Range<usize>) -> bool {
        let is_end = |byte: Option<&u8>| matches!(byte, None | Some(b'\n' | b'\r'));
        let is_no_blank = |byte: &&u8| !matches!(byte, b' ' | b'\t');
        let mut part = part.clone();
        let mut steps = &self.steps[..];
        while let Some(((Form::Base64 | Form::Hex, decoded), before)) = steps.split_last() {
            let text = before.last().map_or(self.bytes, |(_, outer)| &outer.view.text);
            part = decoded.view.written(&part);
            if is_end(text[..part.start].iter().rev().find(is_no_blank))
                && is_end(text[part.end..].iter().find(is_no_blank))
            {
                return true;
            }
            steps = before;
        }
        false
    }

    /// Whether a compressed stream says it.
    pub(super) fn is_of_stream(&self) -> bool {
        self.steps.iter().any(|(form, _)| form.is_stream())
    }

    /// How the match is written, from the outside in, for people; nothing if it stands as it is.
    pub(super) fn name(&self) -> Option<String> {
        let names: Vec<&str> = self.steps.iter().filter_map(|(form, _)| form.name()).collect();
        (!names.is_empty()).then(|| names.join(", then "))
    }

    /// Whether people see the match itself in the page.
    pub(super) fn is_plain(&self) -> bool {
        self.steps.iter().all(|(form, _)| matches!(form, Form::Wide(_)))
    }
}
