"""How long a property is tried: a few hundred examples, 10,000 with GK_FUZZ=1."""

import os

from hypothesis import HealthCheck, settings

examples = settings(
    max_examples=10_000 if os.environ.get("GK_FUZZ") else 300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
