"""TF_CONFIG: who trains, which of them this is, and what is wrong with it."""

import json

import pytest

from bert_core.errors import UserError
from loops.cluster import Cluster, read_cluster
from loops.options import DistributionOptions

WORKERS = {"worker": ["a:2222", "b:2222"]}


def config(cluster: object, kind: object = "worker", index: object = 0) -> str:
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


def test_the_first_worker_is_the_chief_where_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TF_CONFIG", config(WORKERS, index=1))
    cluster = read_cluster(required=True)
    assert cluster == Cluster(
        ("a:2222", "b:2222"), ("worker 0 (a:2222)", "worker 1 (b:2222)"), 1
    )
    assert not cluster.is_chief
    monkeypatch.setenv("TF_CONFIG", config({**WORKERS, "chief": ["[::1]:99"]}, "worker", 0))
    cluster = read_cluster(required=True)
    assert cluster is not None
    assert cluster.names[0] == "chief 0 ([::1]:99)"
    assert (cluster.index, cluster.host_and_port(0)) == (1, ("::1", 99))


@pytest.mark.parametrize("text", ["", "  ", "{}", '{"environment": "cloud"}'])
def test_where_it_names_nobody_this_process_is_alone(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    assert read_cluster(required=False) is None
    with pytest.raises(UserError, match="TF_CONFIG"):
        read_cluster(required=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", 'has no "cluster"'),
        (config([1]), 'has no "cluster"'),
        (config({"ps": ["a:1"]}), "has the job 'ps'; only chief and worker"),
        (config({"worker": "a:1"}), '"worker" is not a list'),
        (config({"worker": ["a"]}), '"a" is not host:port'),
        (config({"worker": ["a:70000"]}), "is not host:port"),
        (config({"worker": [7]}), "7 is not host:port"),
        (config({"worker": ["a:1", "b:2", "b:2"]}), "names b:2 twice"),
        (config(WORKERS, index=2), 'its "task" {"type": "worker", "index": 2} is not in'),
        (config(WORKERS, index="0"), "is not in the cluster"),
        (config(WORKERS, kind=[]), "is not in the cluster"),
        (json.dumps({"cluster": WORKERS}), 'its "task" null is not in'),
    ],
)
def test_what_is_wrong_is_one_line(
    text: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError) as caught:
        read_cluster(required=True)
    message = str(caught.value)
    assert message.startswith("TF_CONFIG: ")
    assert says in message
    assert "\n" not in message


def test_the_port_beside_tensorflows() -> None:
    def port(address: str, **more: int) -> int:
        return DistributionOptions(cluster=Cluster((address,), ("",), 0), **more).port

    assert port("a:2222") == 3222
    assert port("a:65000") == 64000
    assert port("a:2222", peer_port=7) == 7
