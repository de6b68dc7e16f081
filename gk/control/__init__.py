"""The control socket: the CLI's way into the running server, as the administrator it is (0600, same user or root)."""
