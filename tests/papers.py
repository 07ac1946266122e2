"""Certificates for tests, made with openssl."""

import subprocess
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def openssl(*arguments: str | Path) -> None:
    """Run it; fails if it does."""
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


def authority(folder: Path, name: str) -> None:
    """A certificate authority: NAME.pem and NAME.key."""
    openssl(
        "req", "-x509", *_KEY, "-days", "2",
        "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem", "-subj", f"/CN={name}",
    )  # fmt: skip


def certificate(folder: Path, name: str, signed_by: str, alternative: str) -> None:
    """A certificate and its key, for the names in `alternative`, such as `IP:127.0.0.1,DNS:consul.test`."""
    (folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\n")
    openssl("req", *_KEY, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr", "-subj", f"/CN={name}")
    openssl(
        "x509", "-req", "-in", folder / f"{name}.csr", "-days", "2", "-CAcreateserial",
        "-CA", folder / f"{signed_by}.pem", "-CAkey", folder / f"{signed_by}.key",
        "-extfile", folder / f"{name}.ext", "-out", folder / f"{name}.pem",
    )  # fmt: skip
