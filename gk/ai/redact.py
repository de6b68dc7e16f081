"""What no text takes along to a model on another machine: numbers of cards and accounts, passwords, keys."""

import re

_CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d.-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b")
_KEYS = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,10000}(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"
    r"|\b(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_A-Za-z0-9]{16,200}|\bgh[pousr]_[A-Za-z0-9]{20,200}"
    r"|\bAKIA[0-9A-Z]{16}\b|\beyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{5,1000}"
)
_SAID = re.compile(
    r"\b((?:pass(?:word|phrase|code)?|mot de passe|mdp|code secret|pin|api[ _-]?key|cl[eé] d.api|secret|token|jeton)"
    r"(?: (?:is|est|temporaire|provisoire))?\s*[:=]\s*)(\S{4,200})",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """The text with [card], [account], [key] and [secret] in place of them."""
    text = _KEYS.sub("[key]", text)
    text = _SAID.sub(r"\1[secret]", text)
    text = _IBAN.sub(lambda found: "[account]" if _is_iban(found[0]) else found[0], text)
    return _CARD.sub(lambda found: "[card]" if _is_card(found[0]) else found[0], text)


def _is_card(text: str) -> bool:
    """Luhn's check digit (ISO/IEC 7812-1)."""
    digits = [int(c) for c in text if c.isdigit()]
    doubled = [sum(divmod(2 * d, 10)) for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1


def _is_iban(text: str) -> bool:
    """The check digits of ISO 13616."""
    bare = text.replace(" ", "")
    if not 15 <= len(bare) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in bare[4:] + bare[:4])) % 97 == 1
