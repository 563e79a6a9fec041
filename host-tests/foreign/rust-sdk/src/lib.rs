//! The greeter on the Rust SDK: its traits and wrappers, ABI 0.2.1, WASI reactor.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MetricType};
use proxy_wasm::{hostcalls, main};

main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Greeter::default()));
}}

#[derive(Default)]
struct Greeter {
    greeting: String,
    requests: u32,
}

impl Context for Greeter {}

impl RootContext for Greeter {
    fn on_configure(&mut self, _: usize) -> bool {
        let bytes = self.get_plugin_configuration().unwrap_or_default();
        self.greeting = String::from_utf8(bytes).unwrap_or_default();
        let Ok(requests) = hostcalls::define_metric(MetricType::Counter, "greeter.requests") else {
            return false;
        };
        self.requests = requests;
        let _ = hostcalls::log(LogLevel::Info, &["configured with ", &self.greeting].concat());
        true
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request { greeting: self.greeting.clone(), requests: self.requests }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Request {
    greeting: String,
    requests: u32,
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let _ = hostcalls::increment_metric(self.requests, 1);
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let _ = hostcalls::log(LogLevel::Info, &["request of ", &path].concat());
        if path == "/denied" {
            self.send_http_response(403, vec![("x-greeting", &self.greeting)], Some(b"not for you"));
            return Action::Pause;
        }
        self.set_http_request_header("x-greeting", Some(&self.greeting));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_response_header("content-length", None);
        self.set_http_response_header("x-greeted", Some("yes"));
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        if end {
            self.set_http_response_body(size, 0, b"!");
        }
        Action::Continue
    }
}
