"""The meter of the server: bounds of the configuration over the rows of the ledger, and answers that are remembered."""

from gk.ai.metering import MILLION, Use
from gk.ai.model import Answer
from gk.config import Ai
from gk.errors import Unavailable
from gk.store.db import Store

DAY = 86_400


class Metered:
    """Counts in the store."""

    def __init__(self, store: Store, config: Ai) -> None:
        self._store, self._calls = store, config.calls_per_day
        self._price = round(config.spend_per_day * MILLION)
        self._kept = config.answers_days * DAY

    async def reserve(self, account: int, model: str, price: int) -> bool:
        return await self._store.ledger.reserve(account, model, price, self._calls, self._price)

    async def settle(self, account: int, model: str, reserved: int, use: Use) -> None:
        tokens = use.tokens
        await self._store.ledger.settle(
            account, model, use.price - reserved, use.failed, tokens.asked, tokens.said, round(use.seconds * 1000)
        )

    def kept(self, account: int, key: bytes) -> Answer | None:
        found = self._store.known.get(account, key, self._kept) if self._kept else None
        return Answer(found[1], found[0], kept=True) if found else None

    async def keep(self, account: int, key: bytes, answer: Answer) -> None:
        if self._kept:
            try:
                await self._store.known.put(account, key, answer.model, answer.fields, self._kept)
            except Unavailable:
                pass  # it is asked again
