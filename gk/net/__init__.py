"""Sockets, names and the service's supervisor; knows nothing of mail."""
