"""For authors of plugins: conformance suites to inherit from, and stand-ins that pass them.

Nothing here is imported by corepilot itself.
"""
