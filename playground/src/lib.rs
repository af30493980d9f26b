//! The policy engine for the browser.
