"""Sends metrics, and each completed run of a job as a span, to an OpenTelemetry collector: OTLP over HTTP."""

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from corepilot.plugin import OptionError, hookimpl, option
from corepilot.plugin.network import network_address

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()

DEFAULT_ENDPOINT = "http://127.0.0.1:4318"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Options:
    """What `{sink: "otlp", …}` takes. Names and variables are OpenTelemetry's, where it has them."""

    endpoint: str = option(
        help="the collector's base URL; /v1/metrics and /v1/traces are added",
        default=DEFAULT_ENDPOINT,
        env="OTEL_EXPORTER_OTLP_ENDPOINT",
        example="http://collector:4318",
    )
    headers: str = option(
        help="header fields of every request, as name=value, with commas in between; values are percent-decoded",
        default="",
        env="OTEL_EXPORTER_OTLP_HEADERS",
        secret=True,
    )
    protocol: Literal["http/protobuf", "http/json"] = option(
        help="how requests are encoded",
        default="http/protobuf",
        env="OTEL_EXPORTER_OTLP_PROTOCOL",
        env_words={"http/protobuf": "http/protobuf", "http/json": "http/json"},
    )
    compression: Literal["none", "gzip"] = option(
        help="how requests are compressed",
        default="none",
        env="OTEL_EXPORTER_OTLP_COMPRESSION",
        env_words={"none": "none", "gzip": "gzip"},
    )
    timeout: float = option(help="how long one request may take", unit="s", minimum=0.1, maximum=5, default=2.0)
    interval: float = option(
        help="how often metrics and spans are sent", unit="s", minimum=1, maximum=3600, default=30.0, example="30s"
    )
    service: str = option(help="the resource's service.name", default="corepilot", env="OTEL_SERVICE_NAME")
    resource: str = option(
        help="more attributes of the resource, as name=value, with commas in between; values are percent-decoded",
        default="",
        env="OTEL_RESOURCE_ATTRIBUTES",
        example="deployment.environment.name=prod,service.namespace=shop",
    )
    spans: int = option(
        help="completed runs that are kept for the next request; 0 sends no spans",
        minimum=0,
        maximum=100_000,
        default=2048,
    )
    certificate: str = option(
        help="authorities to trust instead of the system's, in PEM",
        default="",
        path="file",
        env="OTEL_EXPORTER_OTLP_CERTIFICATE",
    )
    clientCertificate: str = option(  # noqa: N815  - a key of the configuration
        help="our certificate in PEM; used only together with clientKey",
        default="",
        path="file",
        env="OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        together_with="clientKey",
    )
    clientKey: str = option(  # noqa: N815  - a key of the configuration
        help="the key of clientCertificate in PEM",
        default="",
        path="file",
        env="OTEL_EXPORTER_OTLP_CLIENT_KEY",
        together_with="clientCertificate",
    )

    def __post_init__(self) -> None:
        """Refuse what can be neither a URL nor pairs.

        Raises:
            OptionError: the first that is wrong. A header's value is not repeated.
        """
        self.target()
        self.attributes()
        for name, value in self.fields():
            legal = all(character.isalnum() or character in "!#$%&'*+-.^_`|~" for character in name)
            if not legal or not name.isascii() or not value.isprintable() or not value.isascii():
                raise OptionError("headers", "must not hold a name or value that HTTP does not allow")

    def target(self) -> tuple[str, str]:
        """The endpoint's origin, and its path without a slash at the end.

        Raises:
            OptionError: it is no such URL.
        """
        scheme, found, rest = self.endpoint.partition("://")
        place, slash, path = rest.partition("/")
        example = DEFAULT_ENDPOINT
        origin = network_address(
            "endpoint", scheme + found + place, example=example, schemes=_PORTS, login="use headers"
        )
        if not path.isascii() or not path.isprintable() or set("?# ") & set(path):
            raise OptionError("endpoint", "the path of a base URL has neither spaces nor a query")
        return str(origin), (slash + path).rstrip("/")

    def fields(self) -> list[tuple[str, str]]:
        """The header fields."""
        return _pairs("headers", self.headers)

    def attributes(self) -> list[tuple[str, str]]:
        """Attributes of the resource."""
        return _pairs("resource", self.resource)


def _pairs(option_name: str, text: str) -> list[tuple[str, str]]:
    """The pairs in "name=value,name=value", as the OpenTelemetry specification has them.

    Raises:
        OptionError: something in it is no pair.
    """
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise OptionError(option_name, "must be name=value, with commas in between")
        found.append((name.strip(), unquote(value.strip())))
    return found


@hookimpl
def corepilot_register_sink() -> type[Any]:
    """Return the sink. What it needs is imported only now."""
    from corepilot_otlp.sink import OtlpSink

    return OtlpSink
