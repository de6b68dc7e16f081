"""Mail from other servers, from the moment it is complete to the mailbox.

- `accept` is the one door: recipients, trace fields, one delivery for all recipients of a message.
- What a stranger wrote about us (Return-Path, results in our name) is removed before ours is added.
"""
