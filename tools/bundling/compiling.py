"""Every module of a bundle as code in place of its source: smaller, and nothing is compiled or written at run time.

The same source gives the same bytes: the names of strings' hashes do not matter with a fixed seed, no time or path of
this machine is written, and a file is never checked against a source.
"""

import json
import os
from pathlib import Path

from bundling.interpreter import Interpreter
from bundling.layout import files_of, run


def compile_all(python: Interpreter, bundle: Path) -> None:
    """Replace the sources in the bundle's library by code for that Python."""
    sources = [str(path.relative_to(bundle)) for path in files_of(bundle / "lib") if path.suffix == ".py"]
    run(
        [python.program, "-S", "-B", "-X", "utf8", Path(__file__).parent / "compiler.py", bundle],
        "compile the modules",
        feed=json.dumps(sources),
        PYTHONHASHSEED="0",
        SOURCE_DATE_EPOCH=os.environ.get("SOURCE_DATE_EPOCH", "0"),
    )
    for name in sources:
        (bundle / name).unlink()
