//! Resources -> rule set and chains, with diagnostics that point at the field.
