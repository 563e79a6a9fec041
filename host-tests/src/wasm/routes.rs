//! Which route an exchange takes (E13).

use std::rc::Rc;

use super::headers::HeaderMap;
use crate::scenario::{HeaderValue, Route, RouteChoice};

/// The route behind those with conditions.
pub(crate) const DEFAULT_ROUTE: &str = "default";

/// The route of an exchange: chosen when the request comes, and after it was cleared once more when
/// the router asks for it.
pub(crate) struct RouteCache {
    routes: Rc<Route>,
    /// Index among the choices, or behind them for the default.
    chosen: Option<usize>,
    cleared: bool,
    blocked: bool,
    /// The request has `x-forwarded-proto`, which the gateway adds, and reports leave out.
    has_proto: bool,
}

impl RouteCache {
    pub(crate) fn new(routes: &Rc<Route>, request: &HeaderMap) -> Self {
        let routes = Rc::clone(routes);
        Self {
            chosen: choose(&routes, request),
            routes,
            cleared: false,
            blocked: false,
            has_proto: true,
        }
    }

    /// The name of the route. It stays until another one is chosen, as in Envoy: the filter that clears
    /// it, and those behind, see the old one.
    pub(crate) fn name(&self) -> Option<&str> {
        let choice = self.routes.choices.get(self.chosen?);
        Some(choice.map_or(DEFAULT_ROUTE, |choice| choice.name.as_str()))
    }

    /// Without effect once there is a response.
    pub(crate) fn clear(&mut self) {
        self.cleared = !self.blocked;
    }

    /// The route stays from now on.
    pub(crate) fn block(&mut self) {
        self.blocked = true;
    }

    /// A filter removed `x-forwarded-proto`, or set it: without it Envoy finds no route.
    pub(crate) fn set_has_proto(&mut self, has_proto: bool) {
        self.has_proto = has_proto;
    }

    /// Chooses if need be. False: there is no route.
    pub(crate) fn refresh(&mut self, request: &HeaderMap) -> bool {
        if std::mem::take(&mut self.cleared) {
            self.chosen = choose(&self.routes, request).filter(|_| self.has_proto);
        }
        self.chosen.is_some()
    }
}

fn choose(routes: &Route, request: &HeaderMap) -> Option<usize> {
    // E12: nothing stops a filter from removing it; then no route matches.
    let path = request.text(":path").filter(|path| path.starts_with('/'))?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let fits = routes.choices.iter().position(|choice| holds(choice, path, request));
    fits.or_else(|| routes.default.unwrap_or(true).then_some(routes.choices.len()))
}

fn holds(choice: &RouteChoice, path: &str, request: &HeaderMap) -> bool {
    // Of a repeated header one value is enough.
    let equal = |(name, value): &(String, HeaderValue)| match value {
        HeaderValue::Values(values) => request
            .iter()
            .any(|(n, v)| n == name.as_bytes() && values.first().is_some_and(|value| v == value)),
        HeaderValue::Absent => false,
    };
    choice.path_prefix.as_ref().is_none_or(|prefix| path.starts_with(prefix))
        && choice.headers.0.iter().all(equal)
}
