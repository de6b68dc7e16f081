"""What [ai] must hold beside the right types: models that can be asked, and keys that never go in clear."""

from urllib.parse import urlsplit

from gk.config.ai import Ai, AiModel
from gk.config.endpoints import is_loopback
from gk.errors import ConfigError

MODELS = 10


def check_assistant(ai: Ai, source: str) -> None:
    """Raise ConfigError for what is wrong, named as in the file `source`."""
    where = f"{source}: ai.models"
    if len(ai.models) > MODELS:
        raise ConfigError(f"{where}: at most {MODELS} models")
    if ai.spend_per_day < 0:
        raise ConfigError(f"{source}: ai.spend_per_day must not be less than 0")
    for model in ai.models:
        if bool(model.url) == bool(model.file):
            raise ConfigError(f"{where}: each has either a url or a file")
        if model.price_asked < 0 or model.price_said < 0:
            raise ConfigError(f"{where}: a price must not be less than 0")
        if model.url:
            _check_server(model, where)


def _check_server(model: AiModel, where: str) -> None:
    try:
        url = urlsplit(model.url)
        host, _ = url.hostname, url.port
    except ValueError:
        host = None
    if not host or url.scheme not in ("http", "https") or url.username or url.query or url.fragment:
        raise ConfigError(f'{where}.url must be like "http://127.0.0.1:11434/v1", without a name or key in it')
    if url.scheme == "http" and not is_loopback(host):
        raise ConfigError(f"{where}.url: mail goes in clear to loopback only; use https")
    if not model.model:
        raise ConfigError(f"{where}.model is missing")
