"""The control socket: where it is, how it is made, the server behind it, and the client of the command line.

Nothing is imported here: `locations`, `paths`, `wire`, `client` and `stream` need the standard library only,
`server` needs gevent.
"""
