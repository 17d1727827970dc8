//! standalone

pub mod alerts;
