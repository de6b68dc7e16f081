"""Mail to elsewhere: queued in the commit that accepts it, sent by a runner, reported on when it fails.

- What `submit` returned from is on disk; rows are the queue, the bus only wakes the runner.
- Each recipient has its own status; a temporary fault is never a bounce.
- A slow or dead domain holds nobody else: connections are counted per domain and per address.
- Nothing is reported to the null sender, nor about mail that was refused.
"""
