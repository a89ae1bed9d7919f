//! Real parts for tests: nodes, clusters, redis-server, clients, a proxy that cuts and delays.
