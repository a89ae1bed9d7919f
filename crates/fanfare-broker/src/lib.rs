//! The brokers that carry publications between nodes, and one suite that each passes.
