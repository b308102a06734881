//! Where in a JSON text one is at its end: inside of which keys and indices.
//!
//! serde tells where in the bytes a value did not fit, people want to hear
//! where in the value. What comes before that place was read, so it is JSON.

/// A step from the outside in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(u64),
}

/// The way to the end of the text.
pub(super) fn place(text: &[u8]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    // Whether the next string is a key.
    let mut wants_key = false;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => {
                let end = string_end(text, at);
                if let (true, Some(Step::Key(key))) = (wants_key, steps.last_mut()) {
                    *key = serde_json::from_slice(&text[at..end]).unwrap_or_default();
                    wants_key = false;
                }
                at = end;
                continue;
            }
            b'{' => {
                steps.push(Step::Key(String::new()));
                wants_key = true;
            }
            b'[' => {
                steps.push(Step::Index(0));
                wants_key = false;
            }
            b'}' | b']' => {
                steps.pop();
                wants_key = false;
            }
            b',' => match steps.last_mut() {
                Some(Step::Index(index)) => *index += 1,
                Some(Step::Key(_)) => wants_key = true,
                None => {}
            },
            _ => {}
        }
        at += 1;
    }
    // An object of which no key was read yet is as a whole what is meant.
    if let Some(Step::Key(key)) = steps.last()
        && key.is_empty()
        && wants_key
    {
        steps.pop();
    }
    steps
}

/// Behind the closing quote of a string, or at the end.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_a_place_is_its_keys_and_indices() {
        for (text, way) in [
            ("", ""),
            ("12", ""),
            ("{", ""),
            (r#"{"a""#, "a"),
            (r#"{"a": 1"#, "a"),
            (r#"{"a": {"b": [1, 2, "x"#, "a b 2"),
            (r#"{"a": {"b": 1}"#, "a"),
            (r#"{"a": {"b": 1}, "c": 2"#, "c"),
            (r#"{"a": [[], [1, {"x": "],}{\""#, "a 1 1 x"),
            (r#"[{"a": "b, c"}, "d"#, "1"),
            (r#"{"a\"b\u00e9": 1"#, "a\"bé"),
            (r#"{"a": "b\\", "c": 1"#, "c"),
        ] {
            let steps = place(text.as_bytes()).into_iter().map(|step| match step {
                Step::Key(key) => key,
                Step::Index(index) => index.to_string(),
            });
            assert_eq!(steps.collect::<Vec<_>>().join(" "), way, "{text}");
        }
    }
}
