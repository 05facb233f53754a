"""Deuteron's Python side: training in gangs (`deuteron.gang`), pytest fixtures (`deuteron.testing`), and the server's worker host
(`deuteron.worker`). Needs only what PySpark's client needs; the fixtures also pytest."""
