"""How somebody installs a distribution for this corepilot, told where one is missing.

An environment has a pip of its own, or it was made without one, as images have it; a bundle takes what is in its folder
for plugins, and has no pip at all. Off the way to the first job: imported when something is wrong.
"""

import importlib.util
import os
import sys

from corepilot.plugin.hookspec import KINDS
from corepilot.system import bundled

_OURS = {"corepilot", *(one for kind in KINDS.values() for one in kind.shipped.values())}


def advice(requirement: str, *, again: bool = False) -> str:
    """Return what to do to have a distribution, as a clause: "install it with: …".

    Args:
        requirement: As pip takes it, such as corepilot-etcd.
        again: It is installed, and not whole.
    """
    import shlex  # for a message only: the loader finds plugins on the way to the first job

    bundle = bundled.folder(os.environ)
    once_more = " again" if again else ""
    if not bundle:
        has_pip = importlib.util.find_spec("pip") is not None
        pip = [sys.executable, "-m", "pip"] if has_pip else ["pip", "--python", sys.executable]
        force = ["--force-reinstall"] if again else []
        return f"install it{once_more} with: {shlex.join([*pip, 'install', *force, requirement])}"
    if requirement.partition("[")[0] in _OURS:
        return f"copy the whole bundle to {bundle} again, which brings it"
    upgrade = ["--upgrade"] if again else []
    command = shlex.join(["pip", "install", *upgrade, "--target", os.path.join(bundle, "plugins"), requirement])
    version = ".".join(map(str, sys.version_info[:2]))
    return f"install it{once_more} with the pip of a Python {version}: {command}"
