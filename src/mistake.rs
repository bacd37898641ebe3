//! A mistake in a file that a person wrote for us, a rule or a configuration: shown with the line it stands on.

use crate::secret::{mask_shapes, mask_tokens};
use crate::text::{is_hidden, printable};
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use std::fmt;
use std::ops::Range;

/// What is wrong, where, and what to do.
#[derive(Debug, Clone)]
pub struct Mistake {
    message: String,
    help: Option<String>,
    place: Option<Box<Place>>,
}

#[derive(Debug, Clone)]
struct Place {
    source: NamedSource<String>,
    span: Range<usize>,
    label: String,
}

impl Mistake {
    /// A mistake without a place.
    pub fn new(message: impl Into<String>) -> Mistake {
        let lines = message.into();
        let lines: Vec<_> = lines.lines().map(|line| printable(&mask_shapes(line.as_bytes()))).collect();
        Mistake { message: lines.join("\n"), help: None, place: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Mistake {
        self.help = Some(help.into());
        self
    }

    /// Points at the bytes `span` of the file `name` with this `text`. Keys in the text are masked, as a person may
    /// have pasted one there.
    #[must_use]
    pub fn at(mut self, name: &str, text: &str, span: Range<usize>) -> Mistake {
        // What the message quotes is in the file.
        let label = mask_tokens(&self.message);
        let end = span.end.min(text.len());
        let span = span.start.min(end)..end;
        let source = NamedSource::new(printable(name.as_bytes()), showable(text));
        self.message = format!("{} cannot be used", printable(name.as_bytes()));
        self.place = Some(Box::new(Place { source, span, label }));
        self
    }

    /// A mistake in the form of a TOML file, pointed at.
    #[must_use]
    pub fn toml(name: &str, text: &str, error: &toml::de::Error) -> Mistake {
        Mistake::new(error.message()).at(name, text, error.span().unwrap_or(0..0))
    }
}

/// The text with keys masked and what could command a terminal replaced, byte for byte, so that spans stay true.
fn showable(text: &str) -> String {
    let masked = mask_tokens(text);
    let is_fine = |character: char| matches!(character, '\n' | '\t') || !is_hidden(character);
    let replace = |character: char| "?".repeat(character.len_utf8());
    let shown: String =
        masked.chars().map(|one| if is_fine(one) { one.to_string() } else { replace(one) }).collect();
    shown.replace("##[", "#?[")
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl Diagnostic for Mistake {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &place.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        let label = LabeledSpan::new(Some(place.label.clone()), place.span.start, place.span.len());
        Some(Box::new(std::iter::once(label)))
    }
}
