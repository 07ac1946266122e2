"""What a bundle consists of, and under which licences: `sbom.cdx.json` and the folder `licenses`.

The list is in CycloneDX 1.5 (https://cyclonedx.org/docs/1.5/json/). A package of Debian is named with its version, by
which its source is found.
"""

import json
import re
import shutil
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import Any

from bundling.layout import NAME, files_of, run

SBOM = "sbom.cdx.json"
LICENSES = "licenses"
_LICENCE = re.compile("LICEN[CS]E|NOTICE|COPYING", re.IGNORECASE)
_COMMON = Path("/usr/share/common-licenses")
_FIELDS = "${Package}\t${Version}\t${source:Package}\t${source:Version}\t${Architecture}\n"


def write(bundle: Path, installed: Path, files: Iterable[Path], when: int) -> None:
    """Write both into the bundle.

    Args:
        bundle: The bundle's folder.
        installed: Its folder of packages.
        files: What of this machine has gone into it, under the names that its packages have for them.
        when: The time of the bundle, in seconds since 1970.

    Raises:
        SystemExit: a part has no licence that could be put in, or is of no package.
    """
    (bundle / LICENSES).mkdir()
    metadata = [message_from_string(file.read_text()) for file in sorted(installed.glob("*.dist-info/METADATA"))]
    main = next(one for one in metadata if one["Name"] == NAME)
    components = [*_from_pypi(bundle, installed, metadata), *_from_debian(bundle, files)]
    about: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(when, UTC).isoformat().replace("+00:00", "Z"),
            "component": {"type": "application", "bom-ref": NAME, "name": NAME, "version": main["Version"]},
        },
        "components": components,
    }
    identity = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(about, sort_keys=True))
    about = {**about, "serialNumber": f"urn:uuid:{identity}"}
    (bundle / SBOM).write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")


def _from_pypi(bundle: Path, installed: Path, metadata: Iterable["Message[str, str]"]) -> list[dict[str, Any]]:
    found = []
    for one in metadata:
        name, version = one["Name"], one["Version"]
        stem = f"{re.sub('[-_.]+', '_', name)}-{version}".lower()
        folder = next(path for path in installed.glob("*.dist-info") if path.stem.lower() == stem)
        texts = [file for file in files_of(folder) if _LICENCE.match(file.name)]
        if not texts:
            raise SystemExit(f"cannot make a bundle: {name} {version} comes without the text of its licence")
        for text in texts:
            shutil.copy(text, bundle / LICENSES / f"{stem}-{text.name}")
        said = one["License-Expression"] or one["License"] or _classified(one)
        component = {
            "type": "library",
            "bom-ref": f"pypi-{stem}",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{re.sub('[-_.]+', '-', name).lower()}@{version}",
        }
        licence = {"expression": said} if one["License-Expression"] else {"license": {"name": said.splitlines()[0]}}
        found.append({**component, "licenses": [licence]})
    return sorted(found, key=lambda component: str(component["bom-ref"]))


def _classified(one: "Message[str, str]") -> str:
    given = [line.rpartition(" :: ")[2] for line in one.get_all("Classifier", []) if line.startswith("License ::")]
    return ", ".join(given) or "see the text"


def _from_debian(bundle: Path, files: Iterable[Path]) -> list[dict[str, Any]]:
    packages = sorted({_package_of(path) for path in files})
    system = re.search(r'^ID="?(\w+)', Path("/etc/os-release").read_text(), re.MULTILINE)
    vendor = system[1] if system else "debian"
    found = []
    for line in run(["dpkg-query", "-W", "-f", _FIELDS, *packages], "ask dpkg for versions").splitlines():
        name, version, source, source_version, architecture = line.split("\t")
        copyright_file = Path("/usr/share/doc") / name / "copyright"
        if not copyright_file.is_file():
            raise SystemExit(f"cannot make a bundle: the Debian package {name} has no {copyright_file}")
        shutil.copy(copyright_file, bundle / LICENSES / f"{name}-copyright")
        for common in set(re.findall(rf"{_COMMON}/([\w.-]*\w)", copyright_file.read_text(errors="replace"))):
            if (_COMMON / common).is_file():
                shutil.copy(_COMMON / common, bundle / LICENSES / common)
        found.append({
            "type": "library",
            "bom-ref": f"deb-{name}",
            "name": name,
            "version": version,
            "purl": f"pkg:deb/{vendor}/{name}@{version}?arch={architecture}",
            "licenses": [{"license": {"name": f"see {LICENSES}/{name}-copyright"}}],
            "properties": [{"name": "source", "value": f"{source} {source_version}"}],
        })  # fmt: skip
    return found


def _package_of(path: Path) -> str:
    """The Debian package that a file is from. It knows a file as below /lib or below /usr/lib, and not as both."""
    plain = str(path).removeprefix("/usr")
    script = 'dpkg -S "$1" 2>/dev/null || dpkg -S "$2" 2>/dev/null || true'
    said = run(["sh", "-c", script, "sh", plain, f"/usr{plain}"], "ask dpkg for a package")
    if not said:
        raise SystemExit(f"cannot make a bundle: {path} is of no Debian package, so its licence is not known")
    return said.rpartition(": ")[0].partition(",")[0]
