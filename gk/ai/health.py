"""Looks whether the models are there: at the start, and now and then."""

import asyncio

from gk.ai.models import Models

PERIOD = 300.0  # seconds


class Probing:
    """A service; a model that is not there keeps nobody waiting."""

    name = "models"

    def __init__(self, models: Models) -> None:
        self._models = models

    async def run(self, ready: asyncio.Event) -> None:
        ready.set()
        while True:
            await self._models.probe()
            await asyncio.sleep(PERIOD)
