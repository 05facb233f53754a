"""The Python host: runs PySpark's own worker over shared memory.

`zygote` is the warm parent that forks workers, `worker_process` is what a fork becomes, `protocol` the control
messages between both and the server (described in docs/worker-protocol.md).
"""
