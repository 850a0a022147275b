"""The store: one SQLite database, written by group commit. It knows frames and devices, not what may leave."""
