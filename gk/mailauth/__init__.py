"""Whose mail it is: DKIM keys and signatures, and the DNS records by which others believe them.

- A private key never leaves its file and this process: no log, answer or error holds one.
- Nothing is signed with a key that the DNS was not seen to publish, the first pair of a domain apart.
- What the DNS says is a stranger's: clipped before it is shown, counted before it is followed, never an exception.
"""
