"""What the types of the table [judge] cannot say."""

import ipaddress

from gk.config.tables import Judge
from gk.errors import ConfigError

DMARC = ("enforce", "quarantine", "off")


def check_judge(judge: Judge, source: str) -> None:
    """Raise ConfigError for words and networks that mean nothing."""
    if judge.dmarc not in DMARC:
        raise ConfigError(f'{source}: judge.dmarc must be one of {", ".join(DMARC)}, not "{judge.dmarc}"')
    for domain, rule in judge.dmarc_domains.items():
        if rule not in (*DMARC, "reject"):
            raise ConfigError(
                f'{source}: judge.dmarc_domains."{domain}" must be one of {", ".join(DMARC)}, reject, not "{rule}"'
            )
    for text in judge.trusted:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ConfigError(
                f'{source}: judge.trusted: "{text}" is no address or network like "192.0.2.0/24"'
            ) from None
