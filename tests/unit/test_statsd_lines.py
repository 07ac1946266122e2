"""How families become StatsD lines and datagrams."""

import pytest
from corepilot_statsd.lines import Line, Writer, packets
from corepilot_statsd.plugin import Options

from corepilot.model.configuration import Metric
from corepilot.plugin import OptionError
from corepilot.telemetry.metrics import Family, Metrics


def texts(writer: Writer, *families: Family, sent: bool = True) -> list[str]:
    lines = writer.lines(families, 0.0)
    if sent:
        writer.sent(lines)
    return [line.text for line in lines]


def test_a_counter_is_what_it_has_grown_by_since_it_was_sent() -> None:
    writer, hits = Writer("shop."), Family("hits", "counter", "h")
    hits.record(2)
    assert texts(writer, hits, sent=False) == ["shop.hits:2|c"]
    hits.record(0.5)
    assert texts(writer, hits) == ["shop.hits:2.5|c"]
    assert texts(writer, hits) == []
    hits.record(1)
    assert texts(writer, hits) == ["shop.hits:1|c"]
    hits.reset()
    hits.record(3)
    assert texts(writer, hits) == ["shop.hits:3|c"]


def test_gauges_are_sent_as_they_are_each_time() -> None:
    gauge = Family("queue", "gauge", "q")
    gauge.record(7)
    assert texts(Writer(), gauge) == ["queue:7|g"]
    gauge.record(-7.25)
    assert texts(Writer(), gauge) == ["queue:0|g\nqueue:-7.25|g"]  # a sign alone would be a change
    assert texts(Writer(tags=True), gauge) == ["queue:-7.25|g"]


def test_labels_are_part_of_the_name_or_tags() -> None:
    exits = Family("exits", "counter", "e", ("job", "reason"))
    exits.record(1, ("a.b|c#", ""))
    assert texts(Writer("p"), exits) == ["p.exits.a_b_c_:1|c"]
    assert texts(Writer("p", tags=True), exits) == ["p.exits:1|c|#job:a.b_c_,reason:none"]
    assert texts(Writer(tags=True, extra_tags=["env:prod"]), exits) == ["exits:1|c|#env:prod,job:a.b_c_,reason:none"]


def test_histograms_and_summaries_are_counters_and_quantiles() -> None:
    metrics = Metrics([Metric("t", "h", "histogram"), Metric("s", "h", "summary")])
    metrics.record({"t": 0.3, "s": 4})
    metrics.record({"t": 99})
    timed, summed = {one.name: one for one in metrics.collect()}["t"], metrics.collect()[0]
    assert texts(Writer(), timed) == [
        *("t.count:2|c", "t.sum:99.3|c"),
        *[f"t.bucket.le_{bound}:1|c" for bound in ("0_5", "1", "2_5", "5", "10")],
        "t.bucket.le_inf:2|c",
    ]
    assert "t.bucket:1|c|#le:0.5" in texts(Writer(tags=True), timed)
    assert texts(Writer(), summed) == ["s.count:1|c", "s.sum:4|c", "s.p50:4|g", "s.p90:4|g", "s.p99:4|g"]


@pytest.mark.parametrize("value", [1e-7, 1e300, 123456789.25])
def test_numbers_have_no_exponent(value: float) -> None:
    gauge = Family("g", "gauge", "g")
    gauge.record(value)
    (text,) = texts(Writer(), gauge)
    number = text.partition(":")[2].partition("|")[0]
    assert "e" not in number
    assert float(number) == pytest.approx(value)


def test_what_is_not_there_any_more_is_forgotten() -> None:
    writer, hits = Writer(), Family("hits", "counter", "h", ("job",))
    hits.record(5, ("a",))
    texts(writer, hits)
    hits.reset()
    texts(writer, hits)
    hits.record(5, ("a",))
    assert texts(writer, hits) == ["hits.a:5|c"]


def test_datagrams_are_no_larger_than_they_may_be() -> None:
    lines = [Line("a" * 40), Line("b" * 40), Line("c" * 200), Line("d" * 40)]
    found = list(packets(lines, 90))
    assert [packet for packet, _ in found] == [b"", b"\n".join([b"a" * 40, b"b" * 40]), b"d" * 40]
    assert found[0][1] == [lines[2]]  # it fits nowhere


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("127.0.0.1:8125", ("127.0.0.1", 8125)),
        ("statsd:1", ("statsd", 1)),
        ("statsd", ("statsd", 8125)),
        ("[::1]:8125", ("::1", 8125)),
        ("unix:///run/statsd.socket", ("/run/statsd.socket", 0)),
    ],
)
def test_addresses(address: str, target: tuple[str, int]) -> None:
    assert Options(address=address).target() == target


@pytest.mark.parametrize("address", ["", ":1", "h:0", "h:65536", "::1:8125", "h/x:1", "u@h:1", "unix://run", "h:1x"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(OptionError) as caught:
        Options(address=address)
    assert caught.value.name == "address"


def test_options_that_do_not_go_together() -> None:
    with pytest.raises(OptionError, match="no tags"):
        Options(extraTags=("env:prod",))
    with pytest.raises(OptionError, match="blanks"):
        Options(prefix="a:b")
