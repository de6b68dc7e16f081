"""Weights, as scripts/train_triage.py wrote them."""
