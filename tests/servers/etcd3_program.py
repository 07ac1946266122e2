"""Run by `etcd3_witness`: reads and writes with python-etcd3, and prints JSON."""

import json
import sys
from typing import Any

import etcd3  # type: ignore[import-not-found]  # it is in an environment of its own


def main(port: str, verb: str, *words: str) -> Any:
    """One thing that an independent client does."""
    client = etcd3.client(host="127.0.0.1", port=int(port), timeout=20)
    if verb == "list":  # PREFIX
        return {meta.key.decode(): value.decode() for value, meta in client.get_prefix(words[0])}
    if verb == "ttl":  # KEY: how long its lease is granted for
        _, meta = client.get(words[0])
        return client.get_lease_info(meta.lease_id).grantedTTL
    if verb == "put":  # KEY VALUE
        client.put(*words)
        return True
    if verb == "create":  # KEY VALUE, under a lease, if it is absent
        return client.put_if_not_exists(words[0], words[1], lease=client.lease(60))
    raise ValueError(verb)


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201  - what it is for
