"""Where a key's node is, and when a node is a key. Pure."""

from typing import Any

from corepilot.errors import BackendRefusedError
from corepilot.model.catalog import Entry
from corepilot_zookeeper.layout import is_usable, segment, text_of


class KeyPaths:
    """Keys as paths, and back.

    Args:
        root: Where the keys are that are not absolute.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    def path_of(self, key: str) -> str:
        """The path of a key; of "", that above all which are not absolute.

        Raises:
            BackendRefusedError: ZooKeeper has no node of this name.
        """
        if not key:
            return self.root
        segments = key.removeprefix("/").split("/")
        if not key.startswith("/"):
            return "/".join([self.root, *map(segment, segments)])
        if not all(map(is_usable, segments)):
            raise BackendRefusedError(f"cannot use {key!r:.100} as a key: ZooKeeper refuses a character in it")
        return key

    def key_of(self, path: str, like: str) -> str | None:
        """The key at a path, in the way that another one was asked for; None if nobody can ask for it.

        Args:
            path: Below that of `like`.
            like: A key.
        """
        if like.startswith("/"):
            return path
        names = path[len(self.root) + 1 :].split("/")
        texts = [text_of(name) for name in names]
        # A name with "%" that is not as we write it: somebody else's.
        return "/".join(texts) if names == [segment(text) for text in texts] else None


def entry_of(key: str, found: Any) -> Entry | None:
    """The entry in a node.

    Args:
        key: Its key.
        found: Data and stat, or None if there is no node.

    Returns:
        None if it is no key: see `corepilot_zookeeper.keys`.
    """
    if found is None:
        return None
    data, stat = found
    if data is None or (not data and stat.numChildren and not stat.version):
        return None
    return Entry(key, data, f"{stat.czxid}.{stat.version}")
