"""Sends metrics to Graphite: the plaintext protocol of Carbon, over TCP."""
