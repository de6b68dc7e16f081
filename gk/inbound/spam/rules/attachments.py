"""Files that mail should not bring: programs, and what opens as one."""

import re

from gk.inbound.spam.rule import Around, Found, rule
from gk.inbound.spam.seen import Seen

_PROGRAMS_LISTED = """
    ade adp apk app application appx bat chm cmd com cpl dll exe gadget hta img inf ins iso jar jnlp js jse lnk
    mde msc msi msix msp mst pif ps1 psc1 reg scf scr sct shb sys udl url vb vbe vbs vhd vhdx vxd wsc wsf wsh xll
"""
PROGRAMS = frozenset(_PROGRAMS_LISTED.split())
_MACROS_LISTED = """
    docm dotm xlsm xltm xlam pptm potm ppsm one
"""
MACROS = frozenset(_MACROS_LISTED.split())
_TWO = re.compile(r"\.(?:pdf|docx?|xlsx?|jpe?g|png|txt|zip|mp[34])\s*\.(\w{2,5})$", re.IGNORECASE)


@rule("program_attached", 6.0)
def program_attached(seen: Seen, around: Around) -> Found:
    """A program, or what Windows runs like one."""
    name = next((name for name, _ in seen.files if _ending(name) in PROGRAMS | around.dangerous), None)
    return f"a program is attached: {name[-80:]}" if name else None


@rule("two_endings", 4.0)
def two_endings(seen: Seen, around: Around) -> Found:
    """A document by its name, and something else by its last ending."""
    for name, _ in seen.files:
        second = _TWO.search(name)
        if second and second[1].lower() in PROGRAMS | {"html", "htm", "svg"}:
            return f"a file with two endings is attached: {name[-80:]}"
    return None


@rule("macros_attached", 1.5)
def macros_attached(seen: Seen, around: Around) -> Found:
    """A document that brings programs with it."""
    name = next((name for name, _ in seen.files if _ending(name) in MACROS), None)
    return f"a document with macros is attached: {name[-80:]}" if name else None


@rule("page_attached", 1.5)
def page_attached(seen: Seen, around: Around) -> Found:
    """A web page or an SVG picture as a file: where passwords are asked for today."""
    name = next((name for name, _ in seen.files if _ending(name) in ("html", "htm", "shtml", "svg", "xhtml")), None)
    return f"a page is attached: {name[-80:]}" if name else None


def _ending(name: str) -> str:
    return name.strip().rstrip(".").rpartition(".")[2].lower() if "." in name else ""
