//! The routes of a scenario.

use super::Loader;
use crate::scenario::{HeaderValue, Route};
use crate::wasm::DEFAULT_ROUTE;

/// Notes what is no route, or none that Envoy could take.
pub(super) fn check(loader: &mut Loader, route: &Route) {
    for (i, choice) in route.choices.iter().enumerate() {
        let at = format!("route.choices[{i}]");
        let name = choice.name.as_str();
        let taken = route.choices.iter().take(i).any(|other| other.name == name);
        if name.is_empty() || name == DEFAULT_ROUTE || taken {
            let message =
                format!("found `{name}`, expected a name of its own, other than `{DEFAULT_ROUTE}`");
            loader.note(format!("{at}.name"), message);
        }
        if choice.headers.0.is_empty() && choice.path_prefix.is_none() {
            let message = format!(
                "found no condition, expected `headers` or `pathPrefix` (all other requests take \
                 the route `{DEFAULT_ROUTE}`)"
            );
            loader.note(at.as_str(), message);
        }
        for (header, value) in &choice.headers.0 {
            let text = match value {
                HeaderValue::Values(values) => match values.as_slice() {
                    [one] => str::from_utf8(one).is_ok_and(|text| !text.is_empty()),
                    _ => false,
                },
                HeaderValue::Absent => false,
            };
            if !text {
                loader.note(format!("{at}.headers.{header}"), "found no text, expected one");
            }
        }
        if let Some(prefix) = &choice.path_prefix
            && (!prefix.starts_with('/') || prefix.contains(['?', '#']))
        {
            let message = format!("found `{prefix}`, expected `/…` without a query");
            loader.note(format!("{at}.pathPrefix"), message);
        }
    }
}
