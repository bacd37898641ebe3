//! The prefilter: one SIMD pass over a text that finds candidates for the slower search.
//!
//! The pass reads 64 bytes at a time and answers two questions. Where may one of many literals begin? Which blocks may hold
//! encoded text? `README.md` in this folder explains both with an example. The answers are a superset: false positives are
//! allowed, false negatives are not. The prefilter knows no rule and decodes nothing.

mod byte_class;
mod literals;
mod scan;

pub(crate) use byte_class::{
    BLOCK_BYTES, ByteClass, NibbleTables, SIMD_LEVEL, non_zero, span, span_back, splat16,
};
pub(crate) use literals::LiteralPrefilter;
pub(crate) use scan::{ENCODED, EncodedBlocks, MIN_RUN_BYTES, WINDOW_BYTES, WINDOW_OFFSETS};
