"""GK: a self-hosted communication server with an assistant inside."""

__version__ = "0.1.0"
