"""The answers of /v3: ContainerPilot's, word for word (contract, section 9.1).

Its clients are in images that nobody rebuilds.
"""

from corepilot.control.api import Api, RoutedRequest, plain
from corepilot.control.payload import PayloadError, parse_object
from corepilot.control.values import put_environ, put_metric
from corepilot.http.message import Response


def ping(_: Api, __: RoutedRequest) -> Response:
    """Any method."""
    return plain(200, "")


def environ(api: Api, asked: RoutedRequest) -> Response:
    """Set variables for the jobs started from now on."""
    try:
        _, skipped = put_environ(api, asked.request.body)
    except PayloadError as error:
        return _unprocessable(api, asked, error)
    if skipped:
        api.log("warning", f"{len(skipped)} variables set over the control socket have impossible names: skipped")
    return plain(200, "")


def metric(api: Api, asked: RoutedRequest) -> Response:
    """Record values of metrics."""
    try:
        values = parse_object(asked.request.body)
    except PayloadError as error:
        return _unprocessable(api, asked, error)
    for rejected in put_metric(api, values):
        api.log("warning", rejected)
    return plain(200, "")


def enable_maintenance(api: Api, _: RoutedRequest) -> Response:
    """Leave the catalog."""
    api.target.maintenance(enable=True)
    return plain(200, "")


def disable_maintenance(api: Api, _: RoutedRequest) -> Response:
    """Come back."""
    api.target.maintenance(enable=False)
    return plain(200, "")


def reload(api: Api, asked: RoutedRequest) -> Response:
    """Begin everything anew; answered before anything is changed."""
    outcome = api.target.reload_judged("everything", asked.client_pid)
    return plain(200, "") if outcome.ok else plain(422, outcome.text)


def _unprocessable(api: Api, asked: RoutedRequest, error: PayloadError) -> Response:
    # The answer says no more than ContainerPilot's did; why is for the log.
    api.log("warning", f"{asked.request.path} was refused: {error}")
    return plain(422, "Unprocessable Entity")
