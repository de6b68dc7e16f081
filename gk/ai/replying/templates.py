"""The forms of answers: jinja2 templates for text and HTML, in a sandbox, those of GK and one's own.

A template is NAME.LANGUAGE.txt, and NAME.LANGUAGE.html beside it where the answer has an HTML form too. One's own come
before those of GK. One that does not speak of `ai_response` needs no model. All are tried when they are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, StrictUndefined, TemplateError, TemplateSyntaxError, meta
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gk.ai.replying import inert
from gk.config.replies import LANGUAGES, Replies
from gk.errors import ConfigError

FILES, SIZE = 200, 64 << 10  # of a directory, and octets of one
OUTPUT = 128 << 10  # characters of an answer
LONGEST = 10_000  # of what a template multiplies
VARIABLES = frozenset(
    "ai_response sender_name customer_name original_subject response_date thread_id urgency sentiment category "
    "language workspace brand signature disclaimer".split()
)
AI = "ai_response"
_SAMPLE = {
    **dict.fromkeys(VARIABLES, ""), "ai_response": "Thank you. **Yes.**", "sender_name": "Alice",
    "customer_name": "Zoé", "original_subject": "A question", "response_date": "1 January 2026", "thread_id": "T1",
    "urgency": "normal", "sentiment": "neutral", "category": "support", "language": "en",
}  # fmt: skip
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "CHF": "CHF", "CAD": "$"}


class TemplateFailed(ValueError):
    """A template could not be filled in; the message says where."""


@dataclass(frozen=True, slots=True)
class Filled:
    """An answer in both forms; `html` is "" where the template has no such form."""

    text: str
    html: str


class _Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox of jinja2, in which nothing is multiplied without measure."""

    intercepted_binops = frozenset(("*", "**", "%"))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or (operator == "%" and isinstance(left, str)):
            raise SecurityError(f"{operator} cannot be used here")
        if operator == "*":
            for one, times in ((left, right), (right, left)):
                if hasattr(one, "__len__") and isinstance(times, int) and len(one) * times > LONGEST:
                    raise SecurityError("that would be too long")
        return super().call_binop(context, operator, left, right)


class Templates:
    """All templates there are, checked."""

    def __init__(self, directory: Path | None = None) -> None:
        """Raises ConfigError for what cannot be read, or not be filled in."""
        sources = _built_in() | (_own(directory) if directory else {})
        self._text = _environment(sources, escape=False)
        self._html = _environment(sources, escape=True)
        self._sources = sources
        mine = [name for name in sources if not name.startswith("_")]
        for name in mine:
            self._check(name, directory)
        self._asking = frozenset(name.rpartition(".")[0] for name in mine if AI in self._used(name))

    @property
    def names(self) -> frozenset[str]:
        """NAME.LANGUAGE of each."""
        return frozenset(
            name.removesuffix(".txt") for name in self._sources if name.endswith(".txt") and name[0] != "_"
        )

    def needs_model(self, name: str, language: str) -> bool:
        """Whether the answer has something in it that only a model can write."""
        return f"{name}.{language}" in self._asking

    def fill(self, name: str, language: str, values: Mapping[str, str]) -> Filled:
        """The answer. Raises TemplateFailed."""
        html = f"{name}.{language}.html"
        text = self._render(self._text, f"{name}.{language}.txt", values)
        return Filled(text, self._render(self._html, html, values) if html in self._sources else "")

    def _render(self, environment: ImmutableSandboxedEnvironment, name: str, values: Mapping[str, str]) -> str:
        out: list[str] = []
        size = 0
        try:
            for piece in environment.get_template(name).generate(**values):
                size += len(piece)
                if size > OUTPUT:
                    raise TemplateFailed(f"the template {name} makes more than {OUTPUT} characters")
                out.append(piece)
        except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
            if isinstance(error, TemplateFailed):
                raise
            raise TemplateFailed(f"the template {name}: {type(error).__name__}: {error}") from None
        except (RecursionError, MemoryError, OverflowError):
            raise TemplateFailed(f"the template {name} has no end") from None
        return "\n".join(line.rstrip() for line in "".join(out).strip("\n").split("\n")) + "\n"

    def _used(self, name: str) -> set[str]:
        """The variables a template speaks of, and those it includes."""
        found: set[str] = set()
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            each = waiting.pop()
            if each in seen or each not in self._sources:
                continue
            seen.add(each)
            tree = self._text.parse(self._sources[each])
            found |= meta.find_undeclared_variables(tree)
            waiting += [other for other in meta.find_referenced_templates(tree) if other]
        return found

    def _check(self, name: str, directory: Path | None) -> None:
        """Raise ConfigError where a template cannot be used."""
        where = f"replies.templates: {directory / name if directory and (directory / name).exists() else name}"
        try:
            unknown = self._used(name) - VARIABLES
        except TemplateSyntaxError as error:
            raise ConfigError(f"{where}, line {error.lineno}: {error.message}") from None
        except (TemplateError, RecursionError) as error:
            raise ConfigError(f"{where}: {error}") from None
        if unknown:
            known = ", ".join(sorted(VARIABLES))
            raise ConfigError(f"{where}: unknown variable {', '.join(sorted(unknown))}; there are {known}")
        if name.endswith(".html") and f"{name.removesuffix('.html')}.txt" not in self._sources:
            raise ConfigError(f"{where}: the text form is missing, {name.removesuffix('.html')}.txt")
        try:
            self._render(self._html if name.endswith(".html") else self._text, name, _SAMPLE)
        except TemplateFailed as error:
            raise ConfigError(f"{where}: {error}") from None


def checked(config: Replies, directory: Path | None) -> Templates:
    """The templates of a configuration, among them all that its rules name. Raises ConfigError."""
    templates = Templates(directory)
    for rule in config.rules:
        for language in rule.languages or LANGUAGES:
            if rule.action != "none" and f"{rule.template}.{language}" not in templates.names:
                there = ", ".join(sorted({name.partition(".")[0] for name in templates.names}))
                raise ConfigError(
                    f'replies.rules: rule "{rule.name}": there is no template {rule.template}.{language}.txt;'
                    f" there are {there}"
                )
    return templates


def format_currency(amount: object, currency: str = "EUR", language: str = "en") -> str:
    """An amount as people write it: 1 234,50 € in French, €1,234.50 in English."""
    try:
        number = Decimal(str(amount).replace(",", ".").replace(" ", ""))
        if not number.is_finite() or abs(number) >= 10**15:
            return str(amount)
    except InvalidOperation:
        return str(amount)
    sign = _SIGNS.get(currency.upper(), currency.upper()[:3])
    plain = f"{number:,.2f}"
    if language == "fr":
        return plain.replace(",", "\u202f").replace(".", ",") + f"\u00a0{sign}"
    return f"{sign}{plain}" if len(sign) == 1 else f"{sign} {plain}"


def _environment(sources: Mapping[str, str], *, escape: bool) -> ImmutableSandboxedEnvironment:
    environment = _Sandbox(
        loader=DictLoader(sources), undefined=StrictUndefined, autoescape=escape, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["format_currency"] = format_currency
    environment.filters["markdown"] = inert.html if escape else str
    return environment


def _built_in() -> dict[str, str]:
    folder = resources.files("gk.ai.replying") / "forms"
    return {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith((".txt", ".html"))}


def _own(directory: Path) -> dict[str, str]:
    """The templates of a directory by file name."""
    try:
        files = sorted(path for path in directory.iterdir() if path.suffix in (".txt", ".html"))
        if len(files) > FILES:
            raise ConfigError(f"replies.templates: {directory} has more than {FILES} files")
        found = {}
        for path in files:
            base, _, language = path.stem.rpartition(".")
            if not path.name.startswith("_") and (not base or language not in LANGUAGES):
                raise ConfigError(
                    f"replies.templates: {path}: the name must be NAME.fr{path.suffix} or NAME.en{path.suffix}"
                )
            if path.stat().st_size > SIZE:
                raise ConfigError(f"replies.templates: {path} is larger than {SIZE} bytes")
            found[path.name] = path.read_text("utf-8")
        return found
    except OSError as error:
        raise ConfigError(f"replies.templates: {error.filename or directory}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"replies.templates: {directory} has a file that is not UTF-8") from None
