"""Nobody's relay: about fifty ways to write an address that is not here (RFC 5321 §3.6, RFC 2505)."""

import pytest

from tests.smtp.conftest import House

OUT = "victim@elsewhere.example"
TRICKS = [
    f"<{OUT}>",
    "<victim@elsewhere.example.>",
    "<victim%elsewhere.example@example.test>",
    "<victim%elsewhere.example>",
    "<victim%elsewhere.example@mail.example.test>",
    "<victim%elsewhere.example@[127.0.0.1]>",
    "<victim%elsewhere.example@localhost>",
    "<victim%elsewhere.example%example.test@example.test>",
    f'<"{OUT}">',
    f'<"{OUT}"@example.test>',
    f'<"{OUT}"@mail.example.test>',
    f'<"{OUT}"@[127.0.0.1]>',
    '<"victim%elsewhere.example"@example.test>',
    '<"elsewhere.example!victim"@example.test>',
    "<elsewhere.example!victim>",
    "<elsewhere.example!victim@example.test>",
    "<example.test!elsewhere.example!victim@example.test>",
    "<elsewhere.example!victim%example.test@example.test>",
    f"<@example.test:{OUT}>",
    f"<@mail.example.test,@example.test:{OUT}>",
    f"<@[127.0.0.1]:{OUT}>",
    "<@elsewhere.example:alice@example.test>",
    f"<@example.test:@elsewhere.example:{OUT}>",
    f"<{OUT}@example.test>",
    "<victim@elsewhere.example@example.test>",
    "<victim@example.test@elsewhere.example>",
    "<victim@[127.0.0.1]>",
    "<alice@[127.0.0.1]>",
    "<alice@localhost>",
    "<alice@mail.example.test>",
    "<alice@sub.example.test>",
    "<alice@notexample.test>",
    "<alice@example.test.elsewhere.example>",
    "<alice@example.test\\@elsewhere.example>",
    '<"alice@example.test\\"@elsewhere.example>',
    '<"alice@example.test" victim@elsewhere.example>',
    "<alice@example.test> <victim@elsewhere.example>",
    "<alice@example.test>,<victim@elsewhere.example>",
    "<alice@example.test,victim@elsewhere.example>",
    "<alice@example.test;victim@elsewhere.example>",
    "<alice@example.test victim@elsewhere.example>",
    "<alice (victim@elsewhere.example)@example.test>",
    "<<victim@elsewhere.example>>",
    "victim@elsewhere.example",
    "alice@example.test victim@elsewhere.example",
    "<|cat@example.test>",
    "</etc/passwd@example.test>",
    "<:include:/etc/passwd@example.test>",
    '<"|/bin/sh"@example.test>',
    "<$(id)@example.test>",
    "<@example.test>",
    "<alice@>",
    "<alice>",
    "<alice@example..test>",
    "<alice@-example.test>",
    "<alice@" + "a." * 120 + "example.test>",
    "<" + "a" * 65 + "@example.test>",
    '<"alice@example.test>',
    "<alice@example.test",
]


@pytest.mark.parametrize("sender", ["eve@example.org", "alice@example.test", "", "root@[127.0.0.1]"])
async def test_no_spelling_of_a_recipient_is_relayed(smtp: House, sender: str) -> None:
    server = smtp.servers["mx"]
    for trick in TRICKS:
        client = await (await smtp.connect()).hello()
        assert (await client.say(f"MAIL FROM:<{sender}>")).startswith("250")
        reply = await client.say(f"RCPT TO:{trick}")
        assert reply.startswith(("550 5.7.1", "550 5.1.1", "501 5.1.3", "501 5.5.4")), (trick, reply)
        assert (await client.say("DATA")).startswith("503"), trick
        await client.close()
    assert server.recipients == 100
    assert smtp.outbox.sent == []


async def test_submission_without_a_login_relays_nothing(smtp: House) -> None:
    for role in ("submission", "submissions"):
        client = await (await smtp.connect(role)).hello()
        assert (await client.say(f"MAIL FROM:<{OUT}>")).startswith("530 5.7.0")
        assert (await client.say(f"RCPT TO:<{OUT}>")).startswith("530 5.7.0")
        assert (await client.say("DATA")).startswith("530 5.7.0")
        assert (await client.say("MAIL FROM:<alice@example.test> AUTH=alice@example.test")).startswith("530")
        assert (await client.say("XCLIENT LOGIN=alice@example.test")).startswith("500 5.5.1")
        assert (await client.say("PROXY TCP4 127.0.0.1 127.0.0.1 1 2")).startswith("500 5.5.1")
    assert smtp.outbox.sent == []
