"""A full account says so in every door, and what an account is not offered it does not see."""

from pathlib import Path

from tests.imap.client import Client, message
from tests.imap.conftest import ALICE, House, house


async def test_a_full_account_takes_nothing_more_and_deleting_makes_room(imap: House) -> None:
    account = imap.store.accounts.get(ALICE)
    await imap.store.accounts.set_quota(account.id, 150_000)
    client = await Client.login(imap.port, box="INBOX")
    text = message("large", 100_000)
    await client.append(text)
    assert await client.ok('GETQUOTA ""') == [b'* QUOTA "" (STORAGE 98 146 MESSAGE 1 10000000)\r\n']
    refused = await client.command(b"APPEND INBOX {%d+}\r\n%b" % (len(text), text))
    assert b"NO [OVERQUOTA]" in refused[-1]
    refused = await client.command("COPY 1 Archive")
    assert b"NO [OVERQUOTA]" in refused[-1]
    await client.ok("MOVE 1 Archive")  # nothing more than there was
    await client.ok("SELECT Archive")
    await client.ok("STORE 1 +FLAGS (\\Deleted)")
    assert b"DELETED-STORAGE 98" in (await client.ok("STATUS Archive (DELETED-STORAGE)"))[0]
    await client.ok("EXPUNGE")
    await client.append(text)


async def test_the_configured_quota_is_everybodys(tmp_path: Path) -> None:
    async with house(tmp_path / "data", quota_bytes=1 << 20) as imap:
        client = await Client.login(imap.port)
        assert await client.ok('GETQUOTA ""') == [b'* QUOTA "" (STORAGE 0 1024 MESSAGE 0 10000000)\r\n']
        text = message("larger", 1 << 21)
        refused = await client.command(b"APPEND INBOX {%d+}\r\n%b" % (len(text), text))
        assert b"NO [OVERQUOTA]" in refused[-1]


async def test_hidden_capabilities_are_not_offered(imap: House) -> None:
    account = imap.store.accounts.get(ALICE)
    await imap.store.accounts.hide(account.id, ["NOTIFY", "APPENDLIMIT"])
    client = await Client.connect(imap.port)
    (told,) = await client.command("LOGIN alice@example.test demo-password")
    assert b"NOTIFY" not in told and b"APPENDLIMIT" not in told and b"QRESYNC" in told
    other = await Client.connect(imap.port)
    (told,) = await other.command("LOGIN bob@example.test demo-password")
    assert b"NOTIFY" in told and b"APPENDLIMIT=52428800" in told
