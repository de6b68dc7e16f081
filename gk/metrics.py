"""The Prometheus registry, its metrics and the loop-lag watch. Labels are small fixed sets, never addresses."""

import asyncio

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()

_FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

_SLOW = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)
_LONG = (0.1, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 14_400.0, 86_400.0, 259_200.0, 432_000.0)

loop_lag = Histogram("gk_loop_lag_seconds", "How late the event loop wakes a timer", buckets=_FAST, registry=REGISTRY)
loop_lag_worst = Gauge("gk_loop_lag_worst_seconds", "The worst lag since the start", registry=REGISTRY)
backlog = Gauge("gk_backlog", "Messages committed but not yet at rest", ["kind"], registry=REGISTRY)
delivered = Counter("gk_messages_delivered_total", "Messages placed in mailboxes", ["door"], registry=REGISTRY)
refused = Counter("gk_refused_total", "Refusals by protocol and reason", ["protocol", "reason"], registry=REGISTRY)
connections = Gauge("gk_connections", "Open connections", ["listener"], registry=REGISTRY)
logins = Counter("gk_logins_total", "Logins by protocol and outcome", ["protocol", "outcome"], registry=REGISTRY)
commits = Histogram("gk_commit_seconds", "Time of one group commit", buckets=_FAST, registry=REGISTRY)
commit_units = Counter("gk_commit_units_total", "Units of work committed", registry=REGISTRY)
read_only = Gauge("gk_store_read_only", "1 after an I/O error, until restarted", registry=REGISTRY)
queued = Gauge("gk_queue_messages", "Messages in the outgoing queue", registry=REGISTRY)
tls_sessions = Counter(
    "gk_tls_sessions_total", "Outgoing sessions by TLS policy and result", ["policy", "result"], registry=REGISTRY
)
judged = Counter("gk_verdicts_total", "Messages from other servers by verdict", ["action"], registry=REGISTRY)
judging = Histogram("gk_judge_seconds", "Time to judge one message", buckets=_FAST, registry=REGISTRY)
authentication = Counter("gk_authentication_total", "Results of SPF and DMARC", ["method", "result"], registry=REGISTRY)
rules = Counter(
    "gk_rules_total", "Messages that users' rules and scripts decided about", ["outcome"], registry=REGISTRY
)
answers = Counter("gk_answers_total", "Senders answered for users who are away", registry=REGISTRY)
replies = Counter(
    "gk_replies_total", "Messages looked at to be answered, by what came of it", ["outcome"], registry=REGISTRY
)
replies_waiting = Gauge("gk_replies_waiting", "Messages not yet decided about, as of the last batch", registry=REGISTRY)
scored = Counter("gk_scored_total", "Messages scored, by what the score made of them", ["action"], registry=REGISTRY)
model_calls = Counter("gk_model_calls_total", "Calls to language models", ["outcome"], registry=REGISTRY)
model_seconds = Histogram("gk_model_seconds", "Time of one answer of a model", buckets=_SLOW, registry=REGISTRY)
model_up = Gauge("gk_model_up", "1 where a model answered last, or was found there", ["model"], registry=REGISTRY)
lessons = Counter("gk_lessons_total", "Messages learnt from", ["kind"], registry=REGISTRY)
triaged = Counter("gk_triaged_total", "Messages judged after delivery, by category", ["category"], registry=REGISTRY)
triage_waiting = Gauge("gk_triage_waiting", "Deliveries not judged yet, as of the last batch", registry=REGISTRY)
triage_seconds = Histogram("gk_triage_seconds", "Time to judge one message", buckets=_FAST, registry=REGISTRY)
remote_accounts = Gauge("gk_remote_accounts", "Accounts elsewhere, by how they are", ["state"], registry=REGISTRY)
remote_rounds = Counter("gk_remote_rounds_total", "Rounds with accounts elsewhere", ["outcome"], registry=REGISTRY)
offences = Counter("gk_offences_total", "What clients did that leads to a ban", ["kind"], registry=REGISTRY)
bans = Counter("gk_bans_total", "Bans set and lifted, and why", ["event", "by"], registry=REGISTRY)
delayed = Counter("gk_delayed_total", "Greetings kept back from clients that misbehaved", registry=REGISTRY)
scanners = Counter("gk_scanners_total", "Messages shown to clamd and rspamd", ["scanner", "outcome"], registry=REGISTRY)
# Outgoing mail. Outcomes: sent, deferred, failed. Destinations: mx (a domain's own servers), route (a server of the
# configuration), local (a mailbox here, in the commit that takes the message).
attempts = Counter(
    "gk_delivery_attempts_total", "Attempts for a recipient", ["destination", "outcome"], registry=REGISTRY
)
attempt_seconds = Histogram(
    "gk_delivery_attempt_seconds", "Time of one attempt for a message at a domain", ["destination", "outcome"],
    buckets=_SLOW, registry=REGISTRY,
)  # fmt: skip
queue_seconds = Histogram(
    "gk_queue_seconds", "From acceptance to the last word about a recipient", ["destination", "outcome"],
    buckets=_LONG, registry=REGISTRY,
)  # fmt: skip


def exposition() -> bytes:
    """All metrics in the Prometheus text format."""
    return generate_latest(REGISTRY)


class LoopLag:
    """Measures how late the loop wakes a timer: what every client of this process waits for."""

    name = "loop-lag"
    interval = 0.1  # seconds

    async def run(self, ready: asyncio.Event) -> None:
        loop, worst = asyncio.get_running_loop(), 0.0
        ready.set()
        while True:
            due = loop.time() + self.interval
            await asyncio.sleep(self.interval)
            lag = max(0.0, loop.time() - due)
            loop_lag.observe(lag)
            if lag > worst:
                worst = lag
                loop_lag_worst.set(lag)
