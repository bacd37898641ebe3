//! Standard input as a source. It is read once, to its end.

use crate::file::open;
use crate::input::{Origin, Scope, Skip};
use crate::source::reader::Reader;
use crate::source::traits::{NewVisitor, Source};

/// Standard input.
#[derive(Debug)]
pub struct Stdin;

impl Source for Stdin {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        let mut visitor = new_visitor();
        let origin = Origin::stdin();
        let read = Reader::default().read(&mut std::io::stdin().lock(), None, &origin, &mut *visitor);
        if let Err(error) = read {
            visitor.skip(Skip { origin, reason: open::reason(&error) });
        }
    }

    fn scope(&self) -> Scope {
        Scope::new("stdin")
    }
}
