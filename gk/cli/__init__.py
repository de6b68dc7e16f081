"""The `gk` command: one file a verb, loaded by its name only when it is asked for."""
