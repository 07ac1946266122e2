"""Where a system keeps the authorities it trusts, when the OpenSSL in use was built for another system.

OpenSSL has one place compiled in, and each distribution has its own. In a bundle it is Debian's, whatever the image is.
"""

import os
from typing import Protocol

PLACES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch, distroless
    "/etc/ssl/cert.pem",  # Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
)
"""Files with all of them, as distributions document them."""


class _Paths(Protocol):
    """ssl.DefaultVerifyPaths: each is None if nothing is there."""

    @property
    def cafile(self) -> str | None:
        """A file."""

    @property
    def capath(self) -> str | None:
        """A folder."""


def elsewhere(paths: _Paths) -> str:
    """The file to load beside OpenSSL's own places; "" if those exist, or none is found.

    Args:
        paths: What `ssl.get_default_verify_paths()` says, so that SSL_CERT_FILE and SSL_CERT_DIR count.
    """
    if paths.cafile or paths.capath:
        return ""
    return next((place for place in PLACES if os.path.isfile(place)), "")
