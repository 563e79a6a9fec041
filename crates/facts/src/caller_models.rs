//! Which models a caller may use, without the rest of the caller.

use tollgate_effects::Context;
use tollgate_json::{Kind, Limits, Scanner, Strings, Wanted, strings};

use crate::caller::allows;
use crate::{Unreadable, key};

/// The models that the caller may use, from the fact [`crate::Caller`]. Reading only them takes no serde_json.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CallerModels(Option<Vec<String>>);

/// The longest list, in bytes: far more than key-check takes.
const MOST_LIST_BYTES: usize = 1 << 20;

const WANTED: &[Wanted] =
    &[Wanted { key: "models", keep: MOST_LIST_BYTES }, Wanted { key: "keyId", keep: 0 }];

impl CallerModels {
    /// These models; `None`: all.
    pub fn new(models: Option<Vec<String>>) -> Self {
        Self(models)
    }

    /// Reads them; `Ok(None)` if no caller was published. `S` makes the scanner one that the filter has anyway: another
    /// kind would be in it twice.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if there is a value that is no caller.
    pub fn read<S: Strings + Default>(ctx: Context<'_>) -> Result<Option<Self>, Unreadable> {
        ctx.property(&[key::CALLER]).map(|fact| Self::of::<S>(&fact).ok_or(Unreadable)).transpose()
    }

    /// Whether `model` (the name after aliases, before LoRA base) is one of them.
    pub fn allow(&self, model: &str) -> bool {
        self.0.as_ref().is_none_or(|models| allows(models, model))
    }

    fn of<S: Strings + Default>(fact: &[u8]) -> Option<Self> {
        let mut scanner = Scanner::with_strings(WANTED, Limits::default(), S::default());
        scanner.push(fact).ok()?;
        scanner.finish().ok()?;
        let key_id = scanner.member(1);
        if key_id.count != 1 || key_id.kind != Kind::String {
            return None;
        }
        let models = scanner.member(0);
        match (models.count, models.kind) {
            (0, _) | (1, Kind::Null) => Some(Self(None)),
            (1, Kind::Array) => Some(Self(Some(strings(models.raw()?)?))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Caller;

    #[test]
    fn they_are_what_the_whole_fact_says() {
        for models in [None, Some(vec![]), Some(vec!["a".to_owned(), "b-*".to_owned()])] {
            let limits = serde_json::Map::from_iter([("models".to_owned(), 5.into())]);
            let caller =
                Caller { key_id: "k".into(), models: models.clone(), limits, ..Caller::default() };
            let fact = serde_json::to_vec(&caller).unwrap();
            let found = CallerModels::of::<()>(&fact);
            assert_eq!(found, Some(CallerModels(models)));
            for model in ["a", "b-1", "c"] {
                assert_eq!(found.as_ref().unwrap().allow(model), caller.allows(model), "{model}");
            }
        }
    }

    #[test]
    fn what_is_no_caller_is_unreadable() {
        for fact in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"models":[]}"#,
            r#"{"keyId":1}"#,
            r#"{"keyId":"k","models":{}}"#,
            r#"{"keyId":"k","models":"a"}"#,
            r#"{"keyId":"k","models":[1]}"#,
            r#"{"keyId":"k","models":[],"models":["a"]}"#,
            r#"{"keyId":"k"} x"#,
        ] {
            assert_eq!(CallerModels::of::<()>(fact.as_bytes()), None, "{fact}");
        }
    }
}
