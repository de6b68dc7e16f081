"""One file per command; importing a file registers what it answers."""
