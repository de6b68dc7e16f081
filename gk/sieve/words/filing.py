"""What becomes of the message: keep, fileinto, redirect, discard, stop (RFC 5228 §4), reject and ereject (RFC 5429).

With :copy (RFC 3894), :flags (RFC 5232), :create (RFC 5490) and :specialuse (RFC 8579).
"""

from gk.message.address import Address, AddressError
from gk.sieve.compilation import Compilation
from gk.sieve.errors import RunError, SieveError
from gk.sieve.grammar import STRING, STRINGS, Action, Bound, Tag, command
from gk.sieve.mailbox import parse_mailbox
from gk.sieve.outcome import INBOX, Reject
from gk.sieve.run import Run
from gk.sieve.strings import Text
from gk.sieve.words.flags import flag_words

REASON = 4096  # characters of a rejection

_FLAGS = {"flags": Tag("flags", STRINGS, "imap4flags")}
_COPY = {"copy": Tag("copy", needs="copy")}
_FILEINTO = (
    _FLAGS | _COPY | {"create": Tag("create", needs="mailbox"), "specialuse": Tag("specialuse", STRING, "special-use")}
)


def _flags(unit: Compilation, bound: Bound) -> "tuple[Text, ...] | None":
    return unit.texts(bound.tagged_list("flags")) if "flags" in bound.tags else None


def _given(run: Run, texts: "tuple[Text, ...] | None") -> tuple[str, ...] | None:
    return None if texts is None else flag_words(run, texts)


@command("keep", tags=_FLAGS)
def keep(unit: Compilation, bound: Bound) -> Action:
    """File into INBOX (RFC 5228 §4.3)."""
    flags = _flags(unit, bound)
    return lambda run: run.file(INBOX, _given(run, flags), False, "", False)


@command("fileinto", (STRING,), tags=_FILEINTO, needs="fileinto")
def fileinto(unit: Compilation, bound: Bound) -> Action:
    """File into a mailbox (RFC 5228 §4.1)."""
    mailbox, flags = unit.text(bound.string(0)), _flags(unit, bound)
    create, copy = "create" in bound.tags, "copy" in bound.tags
    named = bound.tagged("specialuse")
    use = unit.text(named) if named is not None else None
    if mailbox.constant == "":
        raise SieveError(mailbox.piece.place, "a mailbox has a name")

    def act(run: Run) -> None:
        name = mailbox.of(run)
        if not name:
            raise RunError("fileinto: the name of the mailbox is empty")
        run.file(name, _given(run, flags), create, use.of(run) if use is not None else "", copy)

    return act


@command("redirect", (STRING,), tags=_COPY)
def redirect(unit: Compilation, bound: Bound) -> Action:
    """Send the message on (RFC 5228 §4.2)."""
    text, copy = unit.text(bound.string(0)), "copy" in bound.tags
    if text.constant is not None:
        try:
            parse_mailbox(text.constant)
        except AddressError as error:
            raise SieveError(text.piece.place, f"this is no address: {error}") from None

    def act(run: Run) -> None:
        run.redirect(str(_address(text.of(run))), copy)

    return act


def _address(text: str) -> Address:
    try:
        return parse_mailbox(text)[1]
    except AddressError as error:
        raise RunError(f"redirect: this is no address: {error}") from None


@command("discard")
def discard(unit: Compilation, bound: Bound) -> Action:
    """Cancel the implicit keep (RFC 5228 §4.4)."""

    def act(run: Run) -> None:
        run.act()
        run.keeps = False

    return act


@command("stop")
def stop(unit: Compilation, bound: Bound) -> Action:
    """End the script (RFC 5228 §3.3)."""

    def act(run: Run) -> None:
        run.stopped = True

    return act


def _reject(unit: Compilation, bound: Bound, protocol: bool) -> Action:
    reason = unit.text(bound.string(0))

    def act(run: Run) -> None:
        run.act()
        if run.reject is not None:
            raise RunError("a second rejection")
        run.reject = Reject(reason.of(run)[:REASON], protocol)

    return act


@command("reject", (STRING,), needs="reject")
def reject(unit: Compilation, bound: Bound) -> Action:
    """Refuse the message with words (RFC 5429 §2.2)."""
    return _reject(unit, bound, False)


@command("ereject", (STRING,), needs="ereject")
def ereject(unit: Compilation, bound: Bound) -> Action:
    """Refuse the message in the protocol where that is possible (RFC 5429 §2.1)."""
    return _reject(unit, bound, True)
