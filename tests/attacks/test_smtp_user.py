"""Submission: a user writes in no other name than their own, however the header is dressed (RFC 6409 §8.1)."""

import re

import pytest

from tests.attacks.conftest import Target
from tests.attacks.wire import imap, smtp

ME, OTHER = "alice@example.test", "bob@example.test"
MANY = ", ".join([ME] * 1000)

FORGED: dict[str, bytes | str] = {
    "another": f"From: {OTHER}\r\n",
    "another after a name": f"From: Alice <{OTHER}>\r\n",
    "one's own as the name of another": f'From: "{ME}" <{OTHER}>\r\n',
    "one's own as a comment": f"From: ({ME}) {OTHER}\r\n",
    "one's own and another": f"From: {ME}, {OTHER}\r\n",
    "one's own and another behind a comment": f"From: {ME} (, ), {OTHER}\r\n",
    "a thousand times oneself, then another": f"From: {MANY}, {OTHER}\r\n",
    "oneself, 25,000 words, then another": f"From: {ME} {'(a) ' * 9000}, {OTHER}\r\n",
    "oneself, 25,000 words, then another without comma": f"From: {ME} {'; ' * 26_000}, {OTHER}\r\n",
    "two fields": f"From: {ME}\r\nFrom: {OTHER}\r\n",
    "two fields, the other first": f"From: {OTHER}\r\nFrom: {ME}\r\n",
    "two fields of oneself": f"From: {ME}\r\nFrom: {ME}\r\n",
    "two fields, one in capitals": f"From: {ME}\r\nFROM: {OTHER}\r\n",
    "two fields, one with a blank": f"From: {ME}\r\nFrom : {OTHER}\r\n",
    "two fields, one with a tab": f"From: {ME}\r\nFrom\t: {OTHER}\r\n",
    "two fields, one behind the 2,000th": f"From: {ME}\r\n" + "X: y\r\n" * 2000 + f"From: {OTHER}\r\n",
    "the only one behind the 2,000th": "X: y\r\n" * 2000 + f"From: {OTHER}\r\n",
    "folded": f"From:\r\n {OTHER}\r\n",
    "folded inside": "From: bob\r\n @example\r\n .test\r\n",
    "folded after oneself": f"From: {ME},\r\n\t{OTHER}\r\n",
    "folded after a line of blanks": f"From: {ME},\r\n \t \r\n {OTHER}\r\n",
    "in an encoded word": "From: =?utf-8?q?bob=40example.test?=\r\n",
    "the local part encoded": "From: =?utf-8?q?bob?=@example.test\r\n",
    "the brackets encoded": f"From: =?utf-8?q?=3Cbob=40example.test=3E?= {OTHER}\r\n",
    "in a group": f"From: us: {OTHER};\r\n",
    "in an empty group": "From: undisclosed-recipients:;\r\n",
    "oneself in a group": f"From: us: {ME};\r\n",
    "oneself and a group": f"From: {ME}, us: {OTHER};\r\n",
    "by a route": f"From: <@example.test,@x:{OTHER}>\r\n",
    "two pairs of brackets": f"From: <{ME}> <{OTHER}>\r\n",
    "brackets in brackets": f"From: <<{OTHER}>>\r\n",
    "an open bracket": f"From: <{OTHER}\r\n",
    "an open quote": f'From: "{ME} <{OTHER}>\r\n',
    "a quoted local part": 'From: "bob"@example.test\r\n',
    "a quoted pair": 'From: "b\\ob"@example.test\r\n',
    "another domain": "From: alice@example.org\r\n",
    "a domain below": "From: alice@x.example.test\r\n",
    "a domain above": "From: alice@test\r\n",
    "a domain with a dot": "From: bob@example.test.\r\n",
    "a literal": "From: alice@[127.0.0.1]\r\n",
    "no domain": "From: bob\r\n",
    "no local part": "From: @example.test\r\n",
    "nothing": "From:\r\n",
    "nothing but blanks": "From: \t \r\n",
    "nothing but a comma": "From: ,\r\n",
    "the null sender": "From: <>\r\n",
    "two at signs": f"From: {ME}@example.org\r\n",
    "a semicolon between": f"From: {ME}; {OTHER}\r\n",
    "a blank between": f"From: {ME} {OTHER}\r\n",
    "a second one behind a comment": f"From: {ME} (x) {OTHER}\r\n",
    "a second one between comments with quotes": f'From: {ME} (") {OTHER} (")\r\n',
    "a second one behind brackets": f"From: <{ME}> {OTHER}\r\n",
    "an address for a name": f"From: {OTHER} <{ME}>\r\n",
    "letters of other scripts": "From: аlice@example.test\r\n",
    "letters that fold to ASCII": "From: alıce@example.test\r\n",
    "bad UTF-8": b"From: bob\xff@example.test\r\n",
    "another Sender": f"From: {ME}\r\nSender: {OTHER}\r\n",
    "two Senders": f"From: {ME}\r\nSender: {ME}\r\nSender: {OTHER}\r\n",
    "a Sender with a blank": f"From: {ME}\r\nSender : {OTHER}\r\n",
    "a folded Sender": f"From: {ME}\r\nSender:\r\n {OTHER}\r\n",
    "another Resent-From": f"Resent-From: {OTHER}\r\nFrom: {ME}\r\n",
    "another Resent-Sender": f"Resent-Sender: {OTHER}\r\nResent-From: {ME}\r\nFrom: {ME}\r\n",
    "a second Resent-From": f"Resent-From: {ME}\r\nResent-From: {OTHER}\r\nFrom: {ME}\r\n",
    "only Resent-From oneself": f"Resent-From: {ME}\r\nFrom: {OTHER}\r\n",
    "another under a name in capitals": f"FROM: {OTHER}\r\n",
}  # fmt: skip

# What is taken: then the message that arrives names nobody but its author.
OWN: dict[str, str] = {
    "oneself": f"From: {ME}\r\n",
    "oneself with a name": f"From: Alice Example <{ME}>\r\n",
    "oneself with an address for a name, quoted": f'From: "{ME}" <{ME}>\r\n',
    "oneself with a comment": f"From: {ME} (Alice, at work)\r\n",
    "oneself in capitals": "From: ALICE@EXAMPLE.TEST\r\n",
    "oneself with a tag": "From: alice+shop@example.test\r\n",
    "oneself twice": f"From: {ME}, Alice <{ME}>\r\n",
    "oneself as Sender": f"From: {ME}\r\nSender: Alice <{ME}>\r\n",
    "resent by oneself": f"Resent-From: {ME}\r\nResent-To: {OTHER}\r\nFrom: {ME}\r\n",
    "no author": "X-Note: none\r\n",
    "an author below the header": f"X-Note: none\r\n\r\nFrom: {OTHER}\r\n",
    "an author folded under another field": f"X-Note: none\r\n From: {OTHER}\r\n",
}


@pytest.mark.parametrize("name", FORGED)
async def test_no_header_names_another_author(target: Target, name: str) -> None:
    header = FORGED[name] if isinstance(FORGED[name], bytes) else str(FORGED[name]).encode()
    async with smtp(target.server, "submissions") as client:
        assert (await client.login()).startswith("235")
        await client.envelope("nobody@elsewhere.example", sender=ME)
        reply = await client.data(bytes(header) + b"Subject: forged\r\n\r\nx\r\n.\r\n")
        assert reply.startswith(("550 5.7.1", "550 5.6.0", "552 5.3.4")), reply
        await client.envelope("nobody@elsewhere.example", sender=ME)
        half = len(header) // 2
        client.send(b"BDAT %d\r\n%b" % (half, header[:half]))
        assert (await client.reply()).startswith("250")
        rest = header[half:] + b"Subject: forged\r\n\r\nx\r\n"  # type: ignore[operator]
        client.send(b"BDAT %d LAST\r\n%b" % (len(rest), rest))
        assert (await client.reply()).startswith(("550 5.7.1", "550 5.6.0", "552 5.3.4"))


@pytest.mark.parametrize("name", OWN)
async def test_what_is_taken_arrives_with_its_author(target: Target, name: str) -> None:
    async with smtp(target.server, "submissions") as client:
        assert (await client.login()).startswith("235")
        await client.envelope(ME, sender=ME)
        reply = await client.data(OWN[name].encode() + b"Subject: own\r\n\r\nx\r\n.\r\n")
        assert reply.startswith("250"), reply
    async with imap(target.server, "alice", "INBOX") as reader:
        (envelope,) = [line for line in await reader.ok("FETCH * (ENVELOPE)") if b"ENVELOPE" in line]
        assert b'"bob"' not in envelope
        assert re.search(rb'"alice(\+shop)?" "example.test"', envelope, re.IGNORECASE)


@pytest.mark.parametrize(
    "sender",
    [
        OTHER,
        "alice@example.org",
        "root@example.test",
        '"bob"@example.test',
        "alice@example.test.",
        "<>",
        "аlice@example.test",
    ],
)
async def test_no_envelope_names_another_sender(target: Target, sender: str) -> None:
    async with smtp(target.server, "submissions") as client:
        assert (await client.login()).startswith("235")
        assert (await client.say(f"MAIL FROM:<{sender}> SMTPUTF8")).startswith(("553 5.7.1", "501 5.1.7"))
