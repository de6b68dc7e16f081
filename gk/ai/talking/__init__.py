"""The conversation with a user: a model with tools that never sees what mails say, and one that reads and has none."""
