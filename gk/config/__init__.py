"""The configuration: frozen values, read once and handed to each room by constructor.

- An unknown key is an error with a suggestion; every error is a ConfigError of one line.
- The person's file is never rewritten; `gk config set` writes the overlay in the data directory.
"""

from gk.config.abuse import Bans, Greylist
from gk.config.ai import Ai, AiModel
from gk.config.checks import parse
from gk.config.endpoints import endpoint, is_loopback
from gk.config.reading import DEFAULT_FILES, ENVIRONMENT, OVERLAY, find, load, merge, notes, set_local
from gk.config.remote import Remote
from gk.config.replies import Replies, ReplyRule
from gk.config.retention import Retention
from gk.config.scanners import Clamd, Rspamd
from gk.config.secret import beside, given, secret
from gk.config.tables import (
    Certificate,
    Config,
    Dns,
    Http,
    Imap,
    Judge,
    Limits,
    Log,
    Outbound,
    OutboundRoute,
    Reports,
    Security,
    Smtp,
    Spam,
    Tls,
    as_tree,
    documented,
)
from gk.config.triage import Triage, TriageRoute

__all__ = [
    "DEFAULT_FILES",
    "ENVIRONMENT",
    "OVERLAY",
    "Ai",
    "AiModel",
    "Bans",
    "Certificate",
    "Clamd",
    "Config",
    "Dns",
    "Greylist",
    "Http",
    "Imap",
    "Judge",
    "Limits",
    "Log",
    "Outbound",
    "OutboundRoute",
    "Remote",
    "Replies",
    "ReplyRule",
    "Reports",
    "Retention",
    "Rspamd",
    "Security",
    "Smtp",
    "Spam",
    "Tls",
    "Triage",
    "TriageRoute",
    "as_tree",
    "beside",
    "documented",
    "endpoint",
    "find",
    "given",
    "is_loopback",
    "load",
    "merge",
    "notes",
    "parse",
    "secret",
    "set_local",
]
