//! Validation by JSON schemas.

use jsonschema::Validator;
use serde_json::Value;
use std::path::Path;

/// Reads a schema; `file` is relative to the repository's root.
pub(crate) fn schema(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).expect("the schema");
    // The OASIS schema has a bracket that strict regular expressions must escape.
    serde_json::from_str(&text.replace("{2}]?$", "{2}\\\\]?$")).expect("JSON")
}

pub(crate) fn validator(schema: &Value) -> Validator {
    jsonschema::options().should_validate_formats(true).build(schema).expect("a good schema")
}

#[track_caller]
pub(crate) fn check(validator: &Validator, value: &Value) {
    let errors: Vec<_> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
}
