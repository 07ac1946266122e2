"""Files made from services and keys of real servers, where somebody else's client writes the keys."""

from pathlib import Path

from eventually import eventually
from following import becomes
from running import Corepilot
from server_stores import Store

from corepilot.discovery.backend import Backend
from corepilot.model.service import Registration

pytest_plugins = ["server_fixtures"]

TEMPLATE = (
    '{{ keyOrDefault "limit" "none" }}:{{ range tree "settings" }} {{ .Key }}={{ .Value }}{{ end }}:'
    '{{ range service "app" }} {{ .HostPort }}{{ end }}\n'
)


def registration(port: int) -> Registration:
    return Registration(f"app-{port}", "app", "192.0.2.1", port, ttl_s=600)


def test_services_and_keys_of_a_server_make_a_file(tmp_path: Path, store: Store, writer: Backend) -> None:
    (tmp_path / "template").write_text(TEMPLATE)
    made, runs = tmp_path / "made", tmp_path / "runs"
    text = (
        '{ control: { socket: "%(dir)s/control.socket" }, '
        f"discovery: {store.discovery}, "
        'watches: [{ name: "app" }, { name: "limit", key: "app/limit" }, '
        '{ name: "settings", prefix: "app/settings" }], '
        'render: [{ name: "made", templateFile: "%(dir)s/template", to: "%(dir)s/made" }], '
        'jobs: [{ name: "main", exec: "sleep 1000" }, '
        '{ name: "reaction", exec: ["sh", "-c", "cat made >> runs"], '
        'when: { source: "render.made", each: "changed" } }] }'
    )
    written = ["none::\n"]

    def follows(line: str) -> None:
        """The file becomes this, and the job has seen each state of it once, in order."""
        written.append(line)
        becomes(lambda: (made.read_text(), runs.read_text()) == (line, "".join(written)))

    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: runs.read_text() == written[0])  # it is known that there is nothing
        store.put("app/limit", "12")
        follows("12::\n")
        writer.register(registration(80), "passing", "")
        follows("12:: 192.0.2.1:80\n")
        store.put("app/settings/color", "blue")
        follows("12: color=blue: 192.0.2.1:80\n")
        writer.report("app-80", "critical", "", 600)
        follows("12: color=blue:\n")
        store.delete("app/limit")
        follows("none: color=blue:\n")
        (row,) = corepilot.status()["render"]
        assert (row["healthy"], row["last_error"], row["watches"]) == (True, "", ["app", "limit", "settings"])
        assert corepilot.stop() == 0
    assert made.read_text() == "none: color=blue:\n", "a stop leaves the file"
