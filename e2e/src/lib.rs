//! The product from outside, as its user runs it: built binaries, the README's commands. Nothing of the workspace is linked in here.
//!
//! So far the demo and the plugin on one machine; scenarios against a cluster come here too.
