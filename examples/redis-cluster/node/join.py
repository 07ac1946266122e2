"""Gives a node its place in the cluster: `join.py ADDRESS FILE`, where FILE has the addresses of all nodes.

Who runs it holds a lock, so nobody else changes the cluster meanwhile. Status 1: not yet, try again.
"""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

FIRST = 6  # nodes make the cluster: three primaries with one replica each
EVEN = 0.9  # of the slots of one primary another one has at least so many, or they are spread anew
COMMAND_S = 300


class Node(NamedTuple):
    """A line of CLUSTER NODES."""

    id: str
    address: str
    flags: set[str]
    primary: str  # the id of what it is a replica of, or "-"
    slots: list[str]


def redis(*words: str) -> str:
    """What redis-cli prints.

    Raises:
        SystemExit: it has failed.
    """
    done = subprocess.run(["redis-cli", *words], capture_output=True, text=True, check=False, timeout=COMMAND_S)
    if done.returncode:
        sys.exit(f"redis-cli {' '.join(words)}: {(done.stdout + done.stderr).replace('#', '')[-1500:]}")
    return done.stdout


def ask(address: str, *words: str) -> str:
    """What a node answers; an error of its is one here."""
    host, _, port = address.rpartition(":")
    return redis("-e", "-h", host, "-p", port, *words)


def known_to(address: str) -> list[Node]:
    """The nodes of its cluster, as a node knows them: itself alone if it is in none."""
    lines = [line.split() for line in ask(address, "cluster", "nodes").splitlines() if line]
    return [Node(one[0], one[1].partition("@")[0], set(one[2].split(",")), one[3], one[8:]) for one in lines]


def without_replica(nodes: list[Node]) -> list[Node]:
    """The primaries that no replica would follow, those with slots first."""
    followed = {node.primary for node in nodes if "fail" not in node.flags}
    bare = [one for one in nodes if "master" in one.flags and "fail" not in one.flags and one.id not in followed]
    return sorted(bare, key=lambda node: not node.slots)


def uneven(nodes: list[Node]) -> bool:
    """Whether a primary has far fewer slots than another one, or a slot is on its way."""
    primaries = [node for node in nodes if "master" in node.flags and "fail" not in node.flags]
    counts = [sum(width(one) for one in node.slots) for node in primaries]
    return min(counts) < max(counts) * EVEN or any(one.startswith("[") for node in primaries for one in node.slots)


def width(slots: str) -> int:
    """How many slots `0-5460` or `7` are; 0 of those that are on their way, `[93->-…]`."""
    first, _, last = slots.partition("-")
    return 0 if slots.startswith("[") else int(last or first) - int(first) + 1


def join(me: str, member: str) -> None:
    """Become a member, an empty primary; nodes that have failed are forgotten."""
    for gone in known_to(member):
        if "fail" in gone.flags and not gone.slots:
            redis("--cluster", "call", member, "cluster", "forget", gone.id)
    redis("--cluster", "add-node", me, member)


def agreed(me: str, others: list[str]) -> list[Node]:
    """The nodes of the cluster, if this one and the others say the same of them.

    Raises:
        SystemExit: what has changed is not known everywhere yet.
    """
    nodes = known_to(me)
    for other in others:
        if said(known_to(other)) != said(nodes):
            sys.exit(f"{other} has not heard of what this node knows, or the other way round")
    return nodes


def said(nodes: list[Node]) -> set[tuple[str, str, int]]:
    """Who is there, whom it follows, and how many slots it has."""
    return {(one.id, one.primary, sum(map(width, one.slots))) for one in nodes if "fail" not in one.flags}


def follow(me: str, nodes: list[Node]) -> bool:
    """Let an empty primary follow one that is alone: so a lost node is replaced. If none is, it is alone itself."""
    mine = next(node for node in nodes if "myself" in node.flags)
    alone = [node for node in without_replica(nodes) if node != mine]
    if "slave" in mine.flags or mine.slots or not alone:
        return False
    ask(me, "cluster", "replicate", alone[0].id)
    print(f"follows {alone[0].address}", flush=True)
    return True


def leave(me: str) -> None:
    """Drop what belongs to a place in the cluster that another node has by now."""
    if any({"myself", "master"} <= node.flags for node in known_to(me)):
        ask(me, "flushall")
    ask(me, "cluster", "reset", "hard")


def main(me: str, others: list[str]) -> None:
    """Make the cluster, or join it; then spread the slots."""
    mine = known_to(me)
    views = {one: nodes for one in others if len(nodes := known_to(one)) > 1}
    number = next(node.id for node in mine if "myself" in node.flags)
    if len(mine) > 1 and views and not any(number == node.id for nodes in views.values() for node in nodes):
        leave(me)
        print("another node has the place of this one", flush=True)
        mine = known_to(me)
    if len(mine) == 1 and views:
        join(me, next(iter(views)))
        print("joined the cluster", flush=True)
    elif len(mine) == 1 and len(others) + 1 >= FIRST:
        first = [me, *others][:FIRST]
        redis("--cluster", "create", *first, "--cluster-replicas", "1", "--cluster-yes")
        print(f"made a cluster of {', '.join(first)}", flush=True)
    elif len(mine) == 1:
        sys.exit(f"{len(others) + 1} of {FIRST} nodes are there")
    members = list(views)
    if follow(me, agreed(me, members)):
        sys.exit("the others hear of that in a moment")
    nodes = agreed(me, members)
    if uneven(nodes) and not without_replica(nodes):  # a primary without a replica gets no slots: it may be lost
        redis("--cluster", "fix", me)  # what somebody may have left who was killed at this
        redis("--cluster", "rebalance", me, "--cluster-use-empty-masters")
        print("spread the slots", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], [one for one in Path(sys.argv[2]).read_text().split() if one != sys.argv[1]])
