"""Files made from what is watched: written as a whole, told once for each change, never from what is not known yet."""

import os
import signal
import stat
from pathlib import Path

from eventually import eventually
from registering import catalog, register
from running import Corepilot

TEMPLATE = 'upstream app {\n{{ range service "app" }}  server {{ .HostPort }};\n{{ end }}}\n'


def config(render: str, more: str = "", jobs: str = "") -> str:
    return (
        '{ control: { socket: "%(dir)s/control.socket" }, discovery: { backend: "embedded", path: "%(dir)s/catalog" }, '
        f'watches: [{{ name: "app" }}], render: [{{ {render}, to: "%(dir)s/upstreams.conf" }}], {more} '
        f'jobs: [{{ name: "main", exec: "sleep 1000" }}, {jobs}] }}'
    )


FROM_FILE = 'templateFile: "%(dir)s/template"'


def reaction(command: str, code: str = "changed") -> str:
    when = f'{{ source: "render.upstreams", each: "{code}" }}'
    return f'{{ name: "reaction", exec: ["sh", "-c", "{command}"], when: {when} }}'


def upstreams(*ports: int) -> str:
    return "upstream app {\n" + "".join(f"  server 192.0.2.1:{port};\n" for port in ports) + "}\n"


def children(pid: int, module: str) -> list[int]:
    """The processes that are started from one, and run a module of ours."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found if f"corepilot.{module}".encode() in Path(f"/proc/{one}/cmdline").read_bytes()]


def row(corepilot: Corepilot) -> dict[str, object]:
    found: dict[str, object] = corepilot.status()["render"][0]
    return found


def test_a_file_follows_a_watch_and_its_change_runs_a_job(tmp_path: Path) -> None:
    (tmp_path / "template").write_text(TEMPLATE)
    made, runs = tmp_path / "upstreams.conf", tmp_path / "runs"
    text = config(FROM_FILE, jobs=reaction("wc -l < upstreams.conf >> runs"))
    with catalog(tmp_path) as backend, Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: made.read_text() == upstreams())  # it is known that there is nothing
        for number in (1, 2):
            eventually(lambda number=number: len(runs.read_text().split()) == number)  # type: ignore[misc]
            register(backend, 79 + number)
        eventually(lambda: made.read_text() == upstreams(80, 81))
        eventually(lambda: runs.read_text().split() == ["2", "3", "4"])
        assert stat.S_IMODE(made.stat().st_mode) == 0o644
        assert row(corepilot) == {
            "name": "upstreams",
            "to": str(made),
            "healthy": True,
            "waits_for": "",
            "last_error": "",
            "watches": ["app"],
        }
        assert "upstreams.conf" in corepilot.client("status").stdout
        assert corepilot.stop() == 0
    assert made.read_text() == upstreams(80, 81)
    assert sorted(one.name for one in tmp_path.iterdir() if "upstreams" in one.name) == ["upstreams.conf"]


def test_a_file_that_is_there_keeps_mode_and_owner_and_is_not_touched_without_need(tmp_path: Path) -> None:
    made = tmp_path / "upstreams.conf"
    (tmp_path / "template").write_text(TEMPLATE)
    made.write_text(upstreams())
    made.chmod(0o640)
    os.chown(made, 12, 34)
    before = made.stat()
    text = config(FROM_FILE, jobs=reaction("echo >> runs") + "," + reaction("echo >> healthy", "healthy"))
    with catalog(tmp_path) as backend, Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        eventually((tmp_path / "healthy").exists)  # the file is as it should be, and has not changed
        assert not (tmp_path / "runs").exists()
        assert (made.stat().st_ino, made.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        register(backend, 80)
        eventually((tmp_path / "runs").exists)
        now = made.stat()
        assert made.read_text() == upstreams(80)
        assert (stat.S_IMODE(now.st_mode), now.st_uid, now.st_gid) == (0o640, 12, 34)
        assert corepilot.stop() == 0


def test_what_is_not_known_yet_empties_no_file(tmp_path: Path) -> None:
    """The catalog's directory cannot be had: the file of the last run stays as it was."""
    made = tmp_path / "upstreams.conf"
    made.write_text(upstreams(99))
    (tmp_path / "template").write_text(TEMPLATE)
    (tmp_path / "catalog").write_text("no directory")
    with Corepilot(config(FROM_FILE), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: row(corepilot)["waits_for"] == "app")
        assert "nothing is known of watch.app" in corepilot.client("status").stdout
        assert made.read_text() == upstreams(99)
        (tmp_path / "catalog").unlink()
        with catalog(tmp_path) as backend:
            register(backend, 80)
            eventually(lambda: made.read_text() == upstreams(80), 60)
        assert corepilot.stop() == 0


def test_what_fails_leaves_the_old_file_and_is_said_once(tmp_path: Path) -> None:
    made = tmp_path / "upstreams.conf"
    failing = '{{ range service "app" }}{{ if eq .Port 81 }}{{ .Nothing }}{{ end }}{{ .Port }} {{ end }}'
    (tmp_path / "template").write_text(failing)
    with catalog(tmp_path) as backend, Corepilot(config(FROM_FILE), tmp_path) as corepilot:
        corepilot.until_ready()
        register(backend, 80)
        eventually(lambda: made.read_text() == "80 ")
        register(backend, 81)
        eventually(lambda: "Instance has no field .Nothing" in str(row(corepilot)["last_error"]))
        register(backend, 82)
        eventually(lambda: corepilot.status()["watches"][0]["passing"] == 3)
        assert not row(corepilot)["healthy"]
        assert corepilot.output.count("Instance has no field .Nothing") == 1
        (tmp_path / "template").write_text(TEMPLATE)
        assert "file upstreams: changed" in corepilot.client("reload").stdout
        eventually(lambda: made.read_text() == upstreams(80, 81, 82))
        assert row(corepilot)["last_error"] == ""
        assert corepilot.stop() == 0


def test_a_file_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "template").write_text(TEMPLATE)
    text = config(FROM_FILE).replace("%(dir)s/upstreams.conf", "%(dir)s/there/upstreams.conf")
    with catalog(tmp_path), Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: "there is no directory" in str(row(corepilot)["last_error"]))
        (tmp_path / "there").mkdir()
        eventually(lambda: (tmp_path / "there" / "upstreams.conf").read_text() == upstreams())
        eventually(lambda: row(corepilot)["last_error"] == "")
        corepilot.until("is made again")
        assert corepilot.stop() == 0


def test_a_template_bomb_takes_nothing_with_it(tmp_path: Path) -> None:
    bomb = '{{ define "x" }}{{ range loop 1000000 }}{{ template "x" }}{{ end }}{{ end }}{{ template "x" }}'
    (tmp_path / "template").write_text(bomb)
    with catalog(tmp_path), Corepilot(config(FROM_FILE), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: "template" in str(row(corepilot)["last_error"]))
        assert not (tmp_path / "upstreams.conf").exists()
        assert corepilot.stop() == 0


def test_a_stop_does_not_wait_for_a_file_that_is_being_made(tmp_path: Path) -> None:
    slow = "{{ range loop 1000000 }}{{ range loop 1000000 }}{{ end }}{{ end }}"
    (tmp_path / "template").write_text(slow)
    with catalog(tmp_path), Corepilot(config(FROM_FILE), tmp_path) as corepilot:
        corepilot.until_ready()
        making = eventually(lambda: children(corepilot.supervisor, "rendering"))
        assert corepilot.stop() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in making)
    assert not (tmp_path / "upstreams.conf").exists()


def test_a_reload_takes_files_up_and_leaves_them(tmp_path: Path) -> None:
    made = tmp_path / "upstreams.conf"
    (tmp_path / "template").write_text(TEMPLATE)
    with (
        catalog(tmp_path) as backend,
        Corepilot(config(FROM_FILE, jobs=reaction("echo >> runs")), tmp_path) as corepilot,
    ):
        corepilot.until_ready()
        register(backend, 80)
        eventually(lambda: made.read_text() == upstreams(80))
        runs = eventually((tmp_path / "runs").read_text)
        assert corepilot.client("reload").returncode == 0  # nothing has changed
        other = config(FROM_FILE.replace('template"', 'other"') + ', when: { source: "SIGUSR2", each: "changed" }')
        (tmp_path / "other").write_text('{{ len (service "app") }}')
        corepilot.configure(other)
        assert "file upstreams: changed" in corepilot.client("reload").stdout
        eventually(lambda: made.read_text() == "1")
        register(backend, 81)
        eventually(lambda: corepilot.status()["watches"][0]["passing"] == 2)
        assert made.read_text() == "1"  # it waits for its event
        corepilot.signal(signal.SIGUSR2)
        eventually(lambda: made.read_text() == "2")
        assert (tmp_path / "runs").read_text() == runs
        assert corepilot.stop() == 0
    assert made.read_text() == "2"


def test_keys_and_the_environment_make_files_too(tmp_path: Path) -> None:
    made = tmp_path / "upstreams.conf"
    template = '{{ keyOrDefault "limit" "none" }} {{ range tree "all" }}{{ .Key }} {{ end }}{{ .WHO }}'
    text = config(f"template: '{{{{`{template}`}}}}'").replace(
        'watches: [{ name: "app" }]', 'watches: [{ name: "limit", key: "app/limit" }, { name: "all", prefix: "app" }]'
    )
    when = 'when: { source: "watch.limit", each: "changed" }'
    job = f'{{ name: "read", exec: ["sh", "-c", "cat > read"], stdin: "event", {when} }}'
    text = text.replace('"sleep 1000" }, ', f'"sleep 1000" }}, {job}')
    with catalog(tmp_path) as backend, Corepilot(text, tmp_path, environment={"WHO": "me"}) as corepilot:
        corepilot.until_ready()
        eventually(lambda: made.read_text() == "none me")
        assert backend.keys is not None
        backend.keys.put("app/limit", b"12")
        eventually(lambda: made.read_text() == "12 limit me")
        eventually(lambda: (tmp_path / "read").read_text() == '{"key": "app/limit", "value": "12"}\n')
        backend.keys.delete("app/limit")
        eventually(lambda: made.read_text() == "none me")
        eventually(lambda: (tmp_path / "read").read_text() == "null\n")
        assert corepilot.stop() == 0


def test_many_files_are_made_a_few_at_a_time(tmp_path: Path) -> None:
    render = ", ".join(
        [f'{{ templateFile: "%(dir)s/template", to: "%(dir)s/made/{n}.conf", name: "n{n}" }}' for n in range(40)]
    )
    text = config(FROM_FILE).replace("render: [", f"render: [{render}, ")
    (tmp_path / "template").write_text(TEMPLATE)
    (tmp_path / "made").mkdir()
    with catalog(tmp_path) as backend, Corepilot(text, tmp_path) as corepilot:
        register(backend, 80)
        supervisor = corepilot.until_ready().supervisor
        most = 0

        def all_made() -> bool:
            nonlocal most
            most = max(most, len(children(supervisor, "rendering")))
            return sum(one.read_text() == upstreams(80) for one in (tmp_path / "made").glob("*.conf")) == 40

        eventually(all_made, 120)
        assert 1 <= most <= 4
        assert corepilot.stop() == 0
