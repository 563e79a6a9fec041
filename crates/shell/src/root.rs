//! The plugin in a worker: reads the configuration, makes exchanges.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use tollgate_effects::{Environment, LogLevel, Plugin, UnixNanos};

use crate::effects::{ALL, Counters};
use crate::exchange::Exchange;
use crate::host::{self, Buffer};

/// The root context of plugin `P`.
pub struct Root<P> {
    plugin: Option<P>,
    counters: Rc<Counters>,
}

impl<P> Default for Root<P> {
    fn default() -> Self {
        Self { plugin: None, counters: Rc::default() }
    }
}

/// The VM's environment variables (`vm_config.environment_variables`) and clock.
struct VmEnvironment;

impl Environment for VmEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn now(&self) -> UnixNanos {
        host::now()
    }
}

impl<P: Plugin> Context for Root<P> {}

impl<P: Plugin> RootContext for Root<P> {
    /// Accepts or refuses the configuration; refusing makes the host reject it with our log line.
    fn on_configure(&mut self, _: usize) -> bool {
        let config = host::buffer(Buffer::PluginConfiguration, 0, ALL).unwrap_or_default();
        match P::configure(&config, &VmEnvironment) {
            Ok(configured) => {
                for warning in configured.warnings {
                    host::log(LogLevel::Warn as u32, &format!("{}: {warning}", P::NAME));
                }
                self.plugin = Some(configured.plugin);
                true
            }
            Err(problems) => {
                host::log(LogLevel::Error as u32, &problems.to_string());
                false
            }
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        let stream = self.plugin.as_ref().map(Plugin::stream);
        Some(Box::new(Exchange::<P>::new(stream, Rc::clone(&self.counters))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
