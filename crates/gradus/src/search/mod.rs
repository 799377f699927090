//! Selection among samples.
