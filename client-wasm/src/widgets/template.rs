//! What a control publishes: its template, filled in with what was chosen.

/// Stands for what was chosen, as it is.
const VALUE: &str = "{value}";

/// Stands for what was chosen as a string of JSON, with its quotes.
const TEXT: &str = "{text}";

/// The payload: the template with what was chosen in it, or just that where there is no template.
pub fn payload(template: &str, value: &str) -> String {
    if template.is_empty() {
        return value.to_owned();
    }
    // What was chosen is never looked through for what stands for something.
    let parts: Vec<String> = template
        .split(TEXT)
        .map(|part| part.split(VALUE).collect::<Vec<_>>().join(value))
        .collect();
    parts.join(&quoted(value))
}

/// Text as a string of JSON (RFC 8259 §7).
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn what_was_chosen_takes_its_place() {
        for (template, value, expected) in [
            ("", "21.5", "21.5"),
            (r#"{"set":{value}}"#, "21.5", r#"{"set":21.5}"#),
            (r#"{"say":{text}}"#, "a \"b\"\n", r#"{"say":"a \"b\"\n"}"#),
            ("{value}/{value}", "{value}", "{value}/{value}"),
            ("{text}", "{value}", r#""{value}""#),
            ("always the same", "x", "always the same"),
        ] {
            assert_eq!(payload(template, value), expected, "{template}");
        }
    }
}
