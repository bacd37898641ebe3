//! How the formats for people look.

/// How the formats for people look. The formats for programs ignore it.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether colours may be used.
    pub color: bool,
    /// Whether everything that was skipped or suppressed is listed, not only counted.
    pub verbose: bool,
    /// Whether there is only a line for each finding, and no summary.
    pub quiet: bool,
}
