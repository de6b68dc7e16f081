"""The assistant's understanding of mail.

- A message is read once (`view`), cut down to the sender's own words, and every signal is a pure function of these.
- Whatever arrives gives a result: what could not be read is told in `Triage.reason`.
- Signals in `signals/` do no I/O and know no store; they say why they decided as they did (`Evidence`).
- Weights come from `scripts/train_triage.py` and text in tests/data/triage; nothing is learnt from users' mail.
- Text of strangers is data: nothing here acts, sends or asks a model.
"""
