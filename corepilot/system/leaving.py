"""How greenlets of ours are ended that may be within a plugin's code."""

from gevent import GreenletExit


class Leaving(GreenletExit):
    """What they are killed with. A bare GreenletExit, like SystemExit, is a plugin's own doing."""
