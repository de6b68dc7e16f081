"""The servers by which mail from users' addresses elsewhere leaves: each account's own, for its owner alone."""

import ssl
from typing import Literal, cast

from gk.accounts.aliases import Directory
from gk.config import Config, Remote, beside, given
from gk.errors import ConfigError, Unavailable
from gk.message.address import AddressError, parse_address
from gk.outbound.relay import Relay, verifying


class SenderRelays:
    """Which server takes a message because of who sends it."""

    def __init__(self, config: Config, directory: Directory) -> None:
        self._config, self._directory = config, directory
        self._remotes = {_key(remote.address): remote for remote in config.remote if remote.smtp_host}
        self._contexts: dict[str, ssl.SSLContext | None] = {}

    def of(self, sender: str, account: int | None) -> Relay | None:
        """The server for mail of this envelope sender, sent by this account; None: that of the recipient's domain.

        Its password is read each time, so that a new one counts. Raises Unavailable where that cannot be had.
        """
        remote = self._remotes.get(_key(sender)) if self._remotes and sender else None
        if remote is None or account is None or self._directory.elsewhere(_key(sender)) != account:
            return None
        name = f'remote "{remote.name}": '
        try:
            file, key = remote.smtp_password_file or remote.password_file, name + "smtp_password_file"
            return self._relay(remote, given(self._config, file, key))
        except ConfigError as error:
            raise Unavailable(str(error)) from None

    def _relay(self, remote: Remote, password: str) -> Relay:
        mode = cast(Literal["starttls", "tls", "none"], remote.smtp_tls)
        if remote.name not in self._contexts:  # sessions are shared among relays that are equal, contexts included
            authorities = beside(self._config, remote.ca)
            self._contexts[remote.name] = (
                None if mode == "none" else verifying(authorities, f'remote "{remote.name}": ca')
            )
        context = self._contexts[remote.name]
        return Relay(remote.smtp_host, remote.smtp_port, mode, context, remote.smtp_login, password)


def _key(address: str) -> str:
    try:
        return parse_address(address).key
    except AddressError:
        return address.lower()
