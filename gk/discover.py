"""The one place that imports late: commands by their name, heavy libraries only where they are used."""

import importlib
import pkgutil
from types import ModuleType


def module(package: str, name: str) -> ModuleType:
    """Import one module of a package by its name."""
    return importlib.import_module(f"{package}.{name}")


def names(package: str) -> list[str]:
    """The module names of a package, sorted; those with a leading underscore are private."""
    parent = importlib.import_module(package)
    return sorted(m.name for m in pkgutil.iter_modules(parent.__path__) if not m.name.startswith("_"))


def every(package: str) -> list[ModuleType]:
    """Import all modules of a package, so that what they register is there."""
    return [module(package, name) for name in names(package)]


def library(name: str) -> ModuleType:
    """Import a library that is heavy, or not always there. Raises ImportError."""
    return importlib.import_module(name)
