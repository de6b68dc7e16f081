"""Rules of users as data: conditions and actions, one line of text each, run as Sieve.

- `value` is what a rule is and the plain values it is stored as, `wording` the line a person reads and writes.
- `program` makes Sieve of it: there is one engine, and a rule does nothing a script could not.
"""
