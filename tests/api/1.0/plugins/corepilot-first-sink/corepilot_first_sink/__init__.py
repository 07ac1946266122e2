"""Sends metrics as lines of text in UDP datagrams."""
