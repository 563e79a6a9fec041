//! Whether JSON holds at least what was expected.

use serde_json::{Number, Value};

/// A path from the root (`.a[0].b`, empty for the root), what was expected there, and what was found.
pub(super) type Difference = (String, String, String);

/// Where `found` lacks something of `expected`: objects may have more members, lists not more
/// elements, numbers are compared by value.
pub(super) fn differences(expected: &Value, found: &Value) -> Vec<Difference> {
    let mut out = Vec::new();
    compare(String::new(), expected, found, &mut out);
    out
}

fn compare(path: String, expected: &Value, found: &Value, out: &mut Vec<Difference>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (name, value) in expected {
                let path = format!("{path}.{name}");
                match found.get(name) {
                    Some(found) => compare(path, value, found, out),
                    None => out.push((path, shown(value), "no such member".to_owned())),
                }
            }
        }
        (Value::Array(expected), Value::Array(elements)) => {
            if expected.len() != elements.len() {
                let wanted = format!("{} elements", expected.len());
                out.push((path.clone(), wanted, format!("{}: {}", elements.len(), shown(found))));
            }
            for (i, (expected, found)) in expected.iter().zip(elements).enumerate() {
                compare(format!("{path}[{i}]"), expected, found, out);
            }
        }
        (Value::Number(a), Value::Number(b)) if same(a, b) => {}
        (expected, found) if expected == found => {}
        (expected, found) => out.push((path, shown(expected), shown(found))),
    }
}

/// JSON has one kind of number: `1` is `1.0`.
fn same(a: &Number, b: &Number) -> bool {
    a == b || ((a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64())
}

fn shown(value: &Value) -> String {
    const MOST: usize = 400;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("`{}…`", text.get(..end).unwrap_or(&text)),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_may_have_more_and_lists_not() {
        for (expected, found, paths) in [
            (json!({}), json!({"a": 1}), vec![]),
            (json!({"a": {"b": 1}}), json!({"a": {"b": 1, "c": 2}, "d": 3}), vec![]),
            (json!({"a": 1}), json!({"a": 1.0}), vec![]),
            (json!({"a": null}), json!({"a": null}), vec![]),
            (json!({"a": null}), json!({}), vec![".a"]),
            (json!({"a": 1}), json!({"a": "1"}), vec![".a"]),
            (json!([1, {"a": 2}]), json!([1, {"a": 2, "b": 3}]), vec![]),
            (json!([1]), json!([1, 2]), vec![""]),
            (json!([1, 2]), json!([3]), vec!["", "[0]"]),
            (json!({"a": [{"b": 1}]}), json!({"a": [{"b": 2}]}), vec![".a[0].b"]),
            (json!({"a": 1}), json!([]), vec![""]),
            (
                json!(18_446_744_073_709_551_615_u64),
                json!(18_446_744_073_709_551_614_u64),
                vec![""],
            ),
        ] {
            let found_paths: Vec<String> =
                differences(&expected, &found).into_iter().map(|(path, ..)| path).collect();
            assert_eq!(found_paths, paths, "{expected} in {found}");
        }
    }
}
