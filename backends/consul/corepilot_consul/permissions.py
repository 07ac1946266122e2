"""Which permission of Consul's access control a request needs, in the words of its policies. Pure.

Consul answers a read that a token may not make in two ways (consul/docs/security/acl/acl-rules): one key is refused
with 403; a list comes with status 200, without what the token may not see, and with X-Consul-Results-Filtered-By-ACLs.
A list that was filtered says nothing about what there is, so it counts as a refusal: nobody may take a service for gone
because a token was deleted (hashicorp/consul#20790). Requests without any token get no such header: that their answer
is not whole cannot be told.
"""

from corepilot.http.percent import unquoted

_SERVICES = "/v1/health/service/"
_KEYS = "/v1/kv/"


def permission_for(path: str) -> str:
    """What a token needs for a GET of a path.

    Args:
        path: Percent-encoded, without a query.
    """
    if path.startswith(_SERVICES):
        return f'service:read for "{unquoted(path[len(_SERVICES) :])}" and node:read for the nodes it runs on'
    if path.startswith(_KEYS):
        return f'key:read, and key:list where the agent asks for it, for the prefix "{unquoted(path[len(_KEYS) :])}"'
    return "the permission to read all of it"
