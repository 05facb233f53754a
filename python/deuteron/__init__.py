"""Deuteron's Python side: the worker host (`deuteron.worker`). Needs only what PySpark's client needs."""
