"""What can be told of a message from its words alone: one file per signal, all of them pure functions.

- Input is decoded text and values; bytes, sockets and the store stay outside.
- Words are folded (`words.fold`) one character to one character, so an offset in the fold is an offset in the text.
- Every loop is bounded by the length of the text, which the caller bounds; no pattern backtracks over lines.
- Each verdict names its evidence as character spans, which `triage` turns into byte offsets.
"""
