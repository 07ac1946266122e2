"""Which services there are: a look at the keys that skips the rest of a service once one of its instances is found."""

from corepilot_etcd.encoding import Message, found_in, parts, text_of
from corepilot_etcd.record import all_services, name_of
from corepilot_etcd.transport import Transport

_PAGE_KEYS = 1000


def service_names(transport: Transport, prefix: str) -> tuple[str, ...]:
    """The services that have a key, sorted. What the keys hold is not looked at.

    Raises:
        BackendError: nothing is known.
    """
    span = all_services(prefix)
    names: set[str] = set()
    start = span.key
    while start:
        asked: Message = {**span.message(), "key": text_of(start), "limit": _PAGE_KEYS, "keys_only": True}
        answer = transport.call("/v3/kv/range", asked)
        start = b""
        with transport.reading():
            for message in parts(answer, "kvs"):
                key = found_in(message).key
                service, slash, identity = key[len(span.key) :].partition(b"/")
                name = name_of(service)
                if slash and identity and b"/" not in identity and name:
                    names.add(name)
                start = span.key + service + b"0"  # after all that begins with the service and a slash
        if not answer.get("more"):
            break
    return tuple(sorted(names))
