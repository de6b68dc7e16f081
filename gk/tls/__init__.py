"""Certificates, and the one TLS context every door uses."""
