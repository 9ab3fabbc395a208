"""The workers of a training run, as the standard variable TF_CONFIG lists them. No TensorFlow.

  {"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}

Kubeflow's TFJob sets it; so can a shell loop (docs/scaling.md).
"""

import dataclasses
import json
import os
import re
from typing import Any

from bert_core.errors import UserError

_JOBS = ("chief", "worker")  # without a chief the first worker is the chief


@dataclasses.dataclass(frozen=True)
class Cluster:
    """All workers, the chief first, and which of them this process is."""

    addresses: tuple[str, ...]  # host:port of TensorFlow's server
    names: tuple[str, ...]  # as messages call them: "worker 1 (host1:2222)"
    index: int

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    def host_and_port(self, index: int) -> tuple[str, int]:
        host, _, port = self.addresses[index].rpartition(":")
        return host.strip("[]"), int(port)


def read_cluster(required: bool) -> Cluster | None:
    """What TF_CONFIG says; None if it is not set or names no cluster.

    Raises UserError if it is malformed, or missing but required.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text.strip():
        if required:
            raise UserError(
                "--distribution=multi_worker: the environment variable TF_CONFIG is missing; "
                "docs/scaling.md shows how to set it"
            )
        return None
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"TF_CONFIG: is not JSON ({error})") from None
    jobs = config.get("cluster") if isinstance(config, dict) else None
    if not jobs and isinstance(config, dict) and not required:
        return None
    return _checked(jobs, config.get("task") if isinstance(config, dict) else None)


def _checked(jobs: Any, task: Any) -> Cluster:
    if not isinstance(jobs, dict) or not jobs:
        raise UserError('TF_CONFIG: has no "cluster", an object of lists of host:port')
    for job in jobs:
        if job not in _JOBS:
            raise UserError(f"TF_CONFIG: has the job {job!r}; only chief and worker train here")
    places = [(job, i, x) for job in _JOBS for i, x in enumerate(_list(jobs.get(job, []), job))]
    addresses = [address for _, _, address in places]
    for address in addresses:
        if addresses.count(address) > 1:
            raise UserError(f"TF_CONFIG: names {address} twice")
    if not isinstance(task, dict) or (task.get("type"), task.get("index")) not in [
        (job, i) for job, i, _ in places
    ]:
        raise UserError(f'TF_CONFIG: its "task" {json.dumps(task)[:80]} is not in the cluster')
    return Cluster(
        addresses=tuple(addresses),
        names=tuple(f"{job} {i} ({address})" for job, i, address in places),
        index=[(job, i) for job, i, _ in places].index((task["type"], task["index"])),
    )


def _list(values: Any, job: str) -> list[str]:
    if not isinstance(values, list):
        raise UserError(f'TF_CONFIG: "{job}" is not a list of host:port')
    for value in values:
        parts = re.fullmatch(r".+:([0-9]{1,5})", value) if isinstance(value, str) else None
        if not parts or not 0 < int(parts[1]) < 2**16:
            raise UserError(f"TF_CONFIG: {json.dumps(value)[:80]} is not host:port")
    return values
