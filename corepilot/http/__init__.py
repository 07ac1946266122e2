"""HTTP/1.1 for greenlets: a client and a server with deadlines and size limits, on gevent sockets and h11.

Nothing is imported here: `corepilot.http.client` and `corepilot.http.server` cost an import of gevent and h11, which
belongs after the first jobs have been started.
"""
