"""Sessions: environments that a baseline steps through a stream.

Every shard (the environments of one session on this sidecar) is a process of its own with a unix socket;
`registry` is the server's side, `__main__` the process.
"""
