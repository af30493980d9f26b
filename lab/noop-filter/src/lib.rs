//! A proxy-wasm filter that does nothing.
//!
//! It takes any configuration but one: the text `"refuse"` makes `on_configure` answer false, so that tests can see what
//! Envoy does with a plugin that does not compile its policy. A text `"mark:VALUE"` sets the request header `x-noop`
//! to VALUE, so that tests see at the upstream which configuration serves.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| Box::new(Root { mark: None }));
}}

struct Root {
    mark: Option<String>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let bytes = self.get_plugin_configuration().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim().trim_matches('"');
        self.mark = text.strip_prefix("mark:").map(str::to_owned);
        text != "refuse"
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream {
            mark: self.mark.clone(),
        }))
    }
}

struct Stream {
    mark: Option<String>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        if let Some(mark) = &self.mark {
            self.set_http_request_header("x-noop", Some(mark));
        }
        Action::Continue
    }
}
