//! The binary: command line, configuration, telemetry, composition root.
