//! The dialects clients speak, one folder each.
