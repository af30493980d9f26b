//! Against a real API server, with a real scheduler and controller manager, and kwok's nodes.

mod real {
    pub mod install;
    pub mod support;
    pub mod wait;
    pub mod write;
}
