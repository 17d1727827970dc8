//! Tests of the framing guard.
