//! A mistake in a rule file or a configuration, shown with the line that it is on.
//!
//! The messages quote files, so keys in them are masked and control characters replaced. `miette` draws the quoted line.

use crate::secret::{mask_shapes, mask_tokens};
use crate::text::{is_hidden, printable};
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use std::fmt;
use std::ops::Range;

/// What is wrong, where it is, and how to correct it.
#[derive(Debug, Clone)]
pub struct Mistake {
    message: String,
    help: Option<String>,
    location: Option<Box<Location>>,
}

/// A part of a file that is pointed at.
#[derive(Debug, Clone)]
struct Location {
    /// The file, with keys masked.
    source: NamedSource<String>,
    /// The offsets of the part, in bytes.
    span: Range<usize>,
    /// The words at the part.
    label: String,
}

impl Mistake {
    /// A mistake that is not in a file, or whose place is added later.
    pub fn new(message: impl Into<String>) -> Mistake {
        let message = message.into();
        let lines: Vec<_> = message.lines().map(|line| printable(&mask_shapes(line.as_bytes()))).collect();
        Mistake { message: lines.join("\n"), help: None, location: None }
    }

    /// Adds advice on how to correct it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Mistake {
        self.help = Some(help.into());
        self
    }

    /// Points at the bytes `span` of the file `name` with this `text`. Keys in the text are masked, because somebody may have pasted one
    /// there.
    #[must_use]
    pub fn at(mut self, name: &str, text: &str, span: Range<usize>) -> Mistake {
        // The message may quote the file, so it is masked as the file is.
        let label = mask_tokens(&self.message);
        let end = span.end.min(text.len());
        let span = span.start.min(end)..end;
        let source = NamedSource::new(printable(name.as_bytes()), printable_source(text));
        self.message = format!("{} cannot be used", printable(name.as_bytes()));
        self.location = Some(Box::new(Location { source, span, label }));
        self
    }

    /// A mistake in the syntax of a TOML file, or in its keys.
    #[must_use]
    pub fn toml(name: &str, text: &str, error: &toml::de::Error) -> Mistake {
        Mistake::new(error.message()).at(name, text, error.span().unwrap_or(0..0))
    }
}

/// The text with keys masked and hidden characters replaced. Its length stays the same, so that spans stay valid.
fn printable_source(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in mask_tokens(text).chars() {
        if matches!(character, '\n' | '\t') || !is_hidden(character) {
            out.push(character);
        } else {
            out.extend(std::iter::repeat_n('?', character.len_utf8()));
        }
    }
    // The runner of GitHub Actions obeys commands such as `##[error]`.
    out.replace("##[", "#?[")
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
        self.location.as_ref().map(|location| &location.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let location = self.location.as_ref()?;
        let Location { label, span, .. } = &**location;
        let label = LabeledSpan::new(Some(label.clone()), span.start, span.len());
        Some(Box::new(std::iter::once(label)))
    }
}
