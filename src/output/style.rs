//! What the user may choose of how an output looks.

/// How an output may look. Programs' formats do not depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether colours may be used.
    pub color: bool,
    /// What was skipped, suppressed and left out is listed, not only counted.
    pub verbose: bool,
    /// A line for each finding, and no summary.
    pub quiet: bool,
}
