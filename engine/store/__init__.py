"""The engine's tables and the only place that knows one database from another."""
