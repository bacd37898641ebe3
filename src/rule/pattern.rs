//! A regular expression of a rule.
//!
//! Built-in patterns are compiled on first use, because compiling all of them takes longer than scanning a small file.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use std::sync::OnceLock;

/// A regular expression on bytes, compiled when it is first used.
#[derive(Debug)]
pub struct Pattern {
    pub(super) text: String,
    regex: OnceLock<Regex>,
}

impl Pattern {
    /// A pattern whose text is known to compile: it was compiled when a user's rule was read, or in the tests.
    pub(super) fn trusted(text: String) -> Pattern {
        Pattern { text, regex: OnceLock::new() }
    }

    /// Compiles a pattern, within limits on its size.
    ///
    /// # Errors
    /// If the text is not a regular expression, or is over a limit.
    pub(super) fn compile(text: &str) -> Result<Regex, regex::Error> {
        RegexBuilder::new(text)
            .unicode(false)
            .size_limit(1 << 20)
            .dfa_size_limit(1 << 20)
            .nest_limit(100)
            .build()
    }

    /// The length of the shortest match, in bytes. 0 if unknown.
    pub(super) fn min_len(&self) -> usize {
        let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
        parser.parse(&self.text).ok().and_then(|hir| hir.properties().minimum_len()).unwrap_or(0)
    }

    /// The compiled form.
    ///
    /// # Panics
    /// Never: the text was compiled when the rule was loaded or, for a built-in rule, when it was tested.
    #[must_use]
    pub fn regex(&self) -> &Regex {
        self.regex.get_or_init(|| match Pattern::compile(&self.text) {
            Ok(regex) => regex,
            Err(error) => unreachable!("a pattern that was accepted before does not compile: {error}"),
        })
    }
}
