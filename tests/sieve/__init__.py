"""Sieve scripts, by extension: what is refused when compiled, and what comes out of a run."""
