"""Hosts of a network of their own, each with port 25: the way mail takes when some of them are away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.flows.network import Host, Server, network
from tests.strangers import PATIENCE, Mx, MxSession, Zone

A, A_OTHER, B, C, D, GHOST, RESOLVER = (f"192.0.2.{n}" for n in (1, 11, 2, 3, 4, 99, 53))
A6, C6 = "2001:db8::1", "2001:db8::3"


class Net:
    """Four hosts and a DNS."""

    def __init__(self, hosts: dict[str, Host], zone: Zone, stack: AsyncExitStack, directory: Path) -> None:
        self.hosts, self.zone, self._stack, self._directory = hosts, zone, stack, directory

    async def mx(self, host: str, address: str, *args: Any) -> Mx:
        sock = self.hosts[host].listening(address)
        return await self._stack.enter_async_context(Mx(*args).serve(address, 25, sock))

    async def gk(self, host: str, domain: str, address: str, more: str = "") -> Server:
        """A server of a domain, which the DNS names."""
        self.zone.domain(domain, address)
        server = self.hosts[host].gk(self._directory / domain, domain, address, RESOLVER, more)
        opened = await asyncio.to_thread(server.__enter__)
        self._stack.push_async_callback(asyncio.to_thread, server.__exit__, None, None, None)
        return opened


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Net]:
    addresses = {"a": [f"{A}/24", f"{A_OTHER}/24", f"{A6}/64"], "b": [f"{B}/24"], "c": [f"{C}/24", f"{C6}/64"],
                 "d": [f"{D}/24"], "dns": [f"{RESOLVER}/24"]}  # fmt: skip
    with network(**addresses) as hosts:
        async with AsyncExitStack() as stack:
            loop = asyncio.get_running_loop()
            door, zone = await loop.create_datagram_endpoint(Zone, sock=hosts["dns"].datagrams(RESOLVER))
            stack.callback(door.close)
            yield Net(hosts, zone, stack, tmp_path)


async def send(server: Server, *recipients: str, account: str = "ann@a.test", **more: Any) -> int:
    result = await asyncio.to_thread(
        server.act, "mail_send", account=account, to=list(recipients), subject="hello", text="Hello.", **more
    )
    return int(result["queue_id"])


async def attempts(server: Server, number: int, count: int = 1) -> list[dict[str, Any]]:
    """What came of the attempts for a message, once there are so many."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for item in (await asyncio.to_thread(server.act, "queue_list"))["messages"]:
                if item["id"] == number and sum(r["attempts"] for r in item["recipients"]) < count:
                    break
                if item["id"] == number and any(r["status"] == "sending" for r in item["recipients"]):
                    break
            else:
                return list((await asyncio.to_thread(server.act, "queue_trace", id=number))["attempts"])


async def test_of_several_hosts_the_best_that_is_there_gets_the_mail(net: Net) -> None:
    net.zone.domain("far.test", GHOST, B, C, D)  # nobody has the first address, nothing listens on the second host
    third, fourth = await net.mx("c", C), await net.mx("d", D)
    server = await net.gk("a", "a.test", A)
    number = await send(server, "zoe@far.test")
    assert (await third.message()).rcpt == ["<zoe@far.test>"]
    (attempt,) = await attempts(server, number)
    assert (attempt["status"], attempt["remote"]) == ("sent", "mx2.far.test")
    assert fourth.sessions == 0


async def test_a_host_whose_cable_is_out_gets_its_mail_when_it_is_in_again(net: Net) -> None:
    net.zone.domain("far.test", C)
    mx = await net.mx("c", C)
    server = await net.gk("a", "a.test", A)
    net.hosts["c"].unplug()
    number = await send(server, "zoe@far.test")
    (attempt,) = await attempts(server, number)
    assert attempt["status"] == "pending" and attempt["reply"] == f"no connection to {C} (No route to host)"
    net.hosts["c"].unplug(again=True)
    await asyncio.to_thread(server.act, "queue_retry", id=number)
    assert (await mx.message()).mail.startswith("<ann@a.test>")


SOURCES = """\
[outbound.source]
"a.test" = ["192.0.2.11"]
"six.a.test" = ["2001:db8::1"]
"lost.a.test" = ["192.0.2.77"]
[aliases]
"ann@six.a.test" = ["ann@a.test"]
"ann@lost.a.test" = ["ann@a.test"]
"""


async def test_mail_leaves_from_the_address_of_its_senders_domain(net: Net) -> None:
    seen: list[str] = []

    async def note(session: MxSession) -> None:
        seen.append(session.writer.get_extra_info("peername")[0])
        session.writer.write(b"220 ready\r\n")

    net.zone.domain("far.test", C)
    net.zone.add("mx0.far.test", "AAAA", C6)
    by_four, by_six = await net.mx("c", C, {"banner": note}), await net.mx("c", C6, {"banner": note})
    server = await net.gk("a", "a.test", A, SOURCES)
    await send(server, "zoe@far.test")
    assert (await by_four.message()).mail.startswith("<ann@a.test>")
    await send(server, "zoe@far.test", sender="ann@six.a.test")
    assert (await by_six.message()).mail.startswith("<ann@six.a.test>")
    assert seen == [A_OTHER, A6]
    (attempt,) = await attempts(server, await send(server, "zoe@far.test", sender="ann@lost.a.test"))
    assert attempt["status"] == "pending"
    assert attempt["reply"] == "this server cannot send from 192.0.2.77 (Cannot assign requested address)"
    assert "event=source_missing address=192.0.2.77" in server.log


async def test_two_servers_write_to_each_other_on_port_25(net: Net) -> None:
    one, other = await net.gk("a", "a.test", A), await net.gk("b", "b.test", B)
    number = await send(one, "ann@b.test", "nobody@b.test")
    there = await attempts(one, number, 2)
    assert sorted(a["status"] for a in there) == ["bounced", "sent"]
    assert {a["tls"] for a in there} == {"TLSv1.3"}
    assert there[0]["remote"] == "mx0.b.test"
    back = await attempts(other, await send(other, "ann@a.test", account="ann@b.test"))
    assert [a["status"] for a in back] == ["sent"]
    for server, address, expected in ((one, "ann@a.test", 2), (other, "ann@b.test", 1)):  # a report and an answer
        listed = await asyncio.to_thread(server.act, "mailbox_list", address=address)
        assert [box["messages"] for box in listed["mailboxes"] if box["name"] == "INBOX"] == [expected]
