//! Who may come in: origins and API keys.
