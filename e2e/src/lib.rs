//! The product from outside, as its user runs it.
