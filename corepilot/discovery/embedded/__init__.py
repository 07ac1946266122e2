"""The embedded catalog: a directory that processes and containers share, without a server. See `backend`."""
