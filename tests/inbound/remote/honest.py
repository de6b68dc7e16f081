"""An IMAP server of the tests' own that keeps mailboxes, does what it is told, and ends sessions when asked to."""

import re
from dataclasses import dataclass, field

from tests.inbound.remote.hostile import Peer


@dataclass
class Box:
    """One mailbox: (flags, content) by uid."""

    uidvalidity: int = 1
    uidnext: int = 1
    messages: dict[int, tuple[set[str], bytes]] = field(default_factory=dict)

    def add(self, flags: set[str], content: bytes) -> int:
        self.messages[self.uidnext] = (set(flags), content)
        self.uidnext += 1
        return self.uidnext - 1


@dataclass
class Keeper(Peer):
    """INBOX, Archive and Trash; `breaks` counts commands down until the session ends before one is answered."""

    boxes: dict[str, Box] = field(default_factory=lambda: {name: Box() for name in ("INBOX", "Archive", "Trash")})
    selected: str = "INBOX"
    breaks: int = -1
    done: bool = True  # whether the command at which it breaks is still done

    def renumber(self, name: str) -> None:
        """New uids for all messages of a mailbox."""
        old = self.boxes[name]
        self.boxes[name] = Box(old.uidvalidity + 1, old.uidnext + 3)
        for flags, content in old.messages.values():
            self.boxes[name].add(flags, content)

    def _said(self, name: str, rest: str) -> bytes:
        self.breaks -= 1
        if self.breaks == 0:
            if self.done:
                self.honest(name, rest)
            raise OSError("this is where it breaks")
        return self.honest(name, rest)

    def honest(self, name: str, rest: str) -> bytes:
        box = self.boxes[self.selected]
        match name:
            case "LIST":
                return b'* LIST () "/" INBOX\r\n* LIST (\\Archive) "/" Archive\r\n* LIST (\\Trash) "/" Trash\r\n'
            case "SELECT":
                self.selected = rest.split('"')[1]
                box = self.boxes[self.selected]
                return (
                    f"* {len(box.messages)} EXISTS\r\n* OK [UIDVALIDITY {box.uidvalidity}] x\r\n"
                    f"* OK [UIDNEXT {box.uidnext}] x\r\n"
                ).encode()
            case "UID SEARCH":
                first = int(found[1]) if (found := re.search(r"UID (\d+):", rest)) else 0
                return b"* SEARCH " + b" ".join(b"%d" % uid for uid in box.messages if uid >= first) + b"\r\n"
            case "UID FETCH":
                self.messages = {uid: content for uid, (_, content) in box.messages.items()}
                self.flags = {uid: " ".join(sorted(flags)) for uid, (flags, _) in box.messages.items()}
                return super().honest(name, rest)
            case "UID STORE" | "UID MOVE" | "UID COPY" | "UID EXPUNGE":
                self.messages = {uid: content for uid, (_, content) in box.messages.items()}
                return self.changed(name, rest, box, self.uids(rest.split(" ")[2]))
        return super().honest(name, rest)

    def changed(self, name: str, rest: str, box: Box, uids: list[int]) -> bytes:
        """STORE, MOVE, COPY and EXPUNGE."""
        if name == "UID STORE":
            words = set(rest.partition("(")[2].rstrip(")").split())
            for uid in uids:
                flags = box.messages[uid][0]
                (flags.update if "+FLAGS" in rest else flags.difference_update)(words)
            return b""
        moved = []
        for uid in uids:
            flags, content = box.messages[uid]
            if name in ("UID MOVE", "UID COPY"):
                moved.append(self.boxes[rest.split('"')[1]].add(flags, content))
            if name == "UID MOVE" or (name == "UID EXPUNGE" and "\\Deleted" in flags):
                del box.messages[uid]
        if not moved or "UIDPLUS" not in self.capabilities:
            return b""
        validity = self.boxes[rest.split('"')[1]].uidvalidity
        before, after = (",".join(map(str, some)) for some in (uids, moved))
        return f"* OK [COPYUID {validity} {before} {after}] moved\r\n".encode()
