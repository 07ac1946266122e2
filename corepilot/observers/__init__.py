"""Observers: plugins that are told of everything that happens, off the critical path."""
