"""What happens in the same moment as a command is told all the same."""

import asyncio

from gk.store.values import SEEN, Flags
from tests.imap.client import Client, message
from tests.imap.conftest import House

ROUNDS = 60


async def test_what_others_change_while_a_silent_store_waits_is_told(imap: House) -> None:
    client = await Client.login(imap.port, box="INBOX")
    await client.append(message("one"))
    inbox = imap.store.mailboxes.get(1, "INBOX")
    await client.ok("UID FETCH 1 FLAGS")
    for turn in range(ROUNDS):
        mode, told = ("remove", b"FLAGS (") if turn % 2 else ("add", b"\\Seen")
        sign = "-" if turn % 4 > 1 else "+"
        heard, _ = await asyncio.gather(
            client.ok(f"STORE 1 {sign}FLAGS.SILENT (\\Flagged)"),
            imap.store.mailboxes.store_flags(inbox, [1], mode, Flags(SEEN)),  # type: ignore[arg-type]
        )
        heard += await client.ok("NOOP")
        assert any(told in response and (b"\\Seen" in response) == (mode == "add") for response in heard), turn


async def test_a_command_that_comes_while_notify_speaks_is_answered(imap: House) -> None:
    client = await Client.login(imap.port, box="INBOX")
    await client.append(message("one"))
    await client.ok("NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))")
    inbox = imap.store.mailboxes.get(1, "INBOX")
    imap.store.snapshots.watch(1, lambda fact: client.send(b"n NOOP\r\n"))
    await imap.store.mailboxes.store_flags(inbox, [1], "add", Flags(SEEN))
    assert await client.until(b"n") == [b"* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))\r\n", b"n OK done\r\n"]
