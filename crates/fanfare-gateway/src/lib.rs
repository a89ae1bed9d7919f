//! The node's face: listeners, WebSocket upgrade, HTTP API, health, the built-in page.
