"""What a reload decides about jobs and everything else."""

from collections.abc import Sequence

from building import CHECK, SERVICE, job, when

from corepilot.jobs.compare import compare_jobs
from corepilot.model.configuration import Configuration, Lock, Logging, Telemetry, Watch
from corepilot.model.job import Job, JobKey
from corepilot.model.plugin import Options, PluginReference, Secret
from corepilot.model.replicas import keyed
from corepilot.model.service import Registration, Service
from corepilot.supervisor.continuity import continued
from corepilot.supervisor.difference import compare


def kinds(old: Sequence[Job], new: Sequence[Job], *, restart_all: bool = False) -> list[tuple[str, str]]:
    changes = compare_jobs(keyed(tuple(old)), keyed(tuple(new)), restart_all=restart_all)
    return [(str(change.new or change.old), change.kind) for change in changes]


def test_a_job_whose_command_changed_is_restarted_and_others_keep_their_process() -> None:
    other = Service(Registration("app-host", "app", "127.0.0.1", 81))
    assert kinds([job()], [job()]) == [("app", "unchanged")]
    assert kinds([job()], [job(exec=("other",))]) == [("app", "restarted")]
    assert kinds([job(service=SERVICE)], [job(service=other)]) == [("app", "updated")]
    assert kinds([job()], [job(health=CHECK)]) == [("app", "updated")]
    assert kinds([job()], [job(restarts=3, stop_timeout_s=1.0, timeout_s=2.0)]) == [("app", "updated")]
    assert kinds([job()], [job(when=when("once", "healthy", "db"))]) == [("app", "renewed")]
    assert kinds([job()], [job(exec=("other",), when=when("never"))]) == [("app", "renewed")]


def test_jobs_are_added_and_removed_by_name_in_the_new_order() -> None:
    found = kinds([job("a"), job("b")], [job("c"), job("b")])
    assert found == [("c", "added"), ("b", "unchanged"), ("a", "removed")]


def test_jobs_that_share_a_name_are_matched_by_content_and_then_by_position() -> None:
    one, two, three = job(exec=("1",)), job(exec=("2",)), job(exec=("3",))
    changes = compare_jobs(keyed((one, two)), keyed((two, three)))
    assert [(change.old, change.new, change.kind) for change in changes] == [
        (JobKey("app", 2), JobKey("app", 1), "unchanged"),
        (JobKey("app", 1), JobKey("app", 2), "restarted"),
    ]


def test_all_jobs_are_restarted_where_that_is_asked_for() -> None:
    jobs = [job("a"), job("b", health=CHECK)]
    assert kinds(jobs, [*jobs, job("c")], restart_all=True) == [("a", "restarted"), ("b", "restarted"), ("c", "added")]


def test_where_a_job_is_written_does_not_matter() -> None:
    assert kinds([job(path="jobs[0]")], [job(path="jobs[7]")]) == [("app", "unchanged")]


def test_nothing_to_do_is_said() -> None:
    config = Configuration(jobs=(job(),), watches=(Watch("db", 1),), telemetry=Telemetry(9090, "127.0.0.1"))
    assert compare(config, config.changed(location="elsewhere", warnings=("x",))).nothing
    assert not compare(config, config.changed(stop_timeout_s=7.0)).nothing


def test_a_plan_names_what_changes_from_what_to_what_and_what_follows() -> None:
    old = Configuration(jobs=(job(),), watches=(Watch("db", 1), Watch("web", 1)), logging=Logging())
    new = Configuration(jobs=(job(exec=("x",)),), watches=(Watch("db", 2), Watch("new", 1)), logging=Logging("debug"))
    lines = {(change.what, change.name): change for change in compare(old, new).changes}
    assert lines["job", "app"].settings == (("command", '["program"]', '["x"]'),)
    assert lines["job", "app"].consequence == "is stopped and run again"
    assert lines["watch", "db"].settings == (("interval_s", "1", "2"),)
    assert lines["watch", "new"].kind == "added"
    assert lines["watch", "web"].kind == "removed"
    assert lines["logging", ""].settings == (("level", '"info"', '"debug"'),)


CONSUL = PluginReference("consul", "m", "", "d", "1", Options((("address", "127.0.0.1:8500"),)))
ETCD = PluginReference("etcd", "m", "", "d", "1")


def test_a_catalog_with_the_same_backend_and_options_goes_on_under_another_name() -> None:
    old = Configuration(
        catalogs=(("consul", CONSUL),),
        watches=(Watch("db", 1), Watch("limit", 1, kind="key", subject="limit", catalog="consul")),
        locks=(Lock("main", 30, "consul"),),
    )
    new = old.changed(
        catalogs=(("old", CONSUL), ("etcd", ETCD)),
        watches=(old.watches[0], old.watches[1].changed(catalog="old")),
        locks=(Lock("main", 30, "old"),),
    )
    changes = compare(old, new).changes
    assert [(one.what, one.name, one.kind, one.settings) for one in changes] == [
        ("watch", "db", "unchanged", ()),
        ("watch", "limit", "unchanged", ()),
        ("catalog", "old", "changed", (("name", '"consul"', '"old"'),)),
        ("catalog", "etcd", "added", ()),
    ]


def test_catalogs_are_matched_by_name_first_and_each_one_once() -> None:
    other = CONSUL.changed(options=Options((("address", "other"),)))
    two = (("a", CONSUL), ("b", CONSUL))
    assert continued(two, (("b", CONSUL), ("c", CONSUL), ("d", CONSUL))) == {"b": "b", "c": "a"}
    assert continued((("a", CONSUL), ("b", other)), (("a", other), ("b", CONSUL))) == {"a": "b", "b": "a"}
    assert continued(two, (("a", other), ("etcd", ETCD))) == {}


def test_a_plan_names_the_options_that_differ() -> None:
    def with_options(address: str, verify: bool) -> Configuration:  # noqa: FBT001  - as a table
        options = Options((("address", address), ("token", Secret("t")), ("tls", Options((("verify", verify),)))))
        return Configuration(catalogs=(("consul", CONSUL.changed(options=options)),))

    (change,) = compare(with_options("one", True), with_options("two", False)).changes  # noqa: FBT003
    assert change.settings == (
        ("options.address", "a value", "another value"),
        ("options.tls.verify", "a value", "another value"),
    )


def test_a_plan_shows_no_secrets() -> None:
    def config(token: str) -> Configuration:
        options = Options((("address", "a"), ("token", Secret(token))))
        plugin = PluginReference("consul", "m", "", "corepilot-consul", "1.0", options)
        command = ("curl", f"http://user:{token}@host", "--token", token)
        return Configuration(jobs=(job(exec=command),), catalogs=(("default", plugin),))

    shown = str(compare(config("canary1"), config("canary2")).changes)
    assert "canary" not in shown
