"""Under `order: id` it does not show in the log how many workers there were."""

from __future__ import annotations

import pytest

import qd


@pytest.mark.slow
@pytest.mark.cluster
def test_one_and_four_workers_and_none_give_the_same_log(workbench, log_tables):
    file = workbench.write(
        space={"side": 25},
        evaluator={"kind": f"{workbench.module}:Trained", "failing": 0.1, "milliseconds": 2},
        search={"chunk": 4, "window": 48, "order": "id"},
        emitters=[{"kind": "map_elites", "initial": 20}, {"kind": "random", "weight": 0.2}],
        budget={"evaluations": 240},
    )
    inline = log_tables(qd.run(file, out="inline").folder.path)
    for workers in (1, 4):
        executor = {"kind": "ray", "workers": workers, "cpus": 0.25}
        run = qd.run(file, out=f"with-{workers}", executor=executor)
        assert without_executor(log_tables(run.folder.path)) == without_executor(inline)
        kept = {path.name: path.read_bytes() for path in run.folder.weights.iterdir()}
        assert kept == {path.name: path.read_bytes() for path in (workbench.folder / "inline/weights").iterdir()}


@pytest.mark.slow
@pytest.mark.cluster
def test_networks_that_are_trained_by_workers_are_those_that_are_trained_here(networks, log_tables, tmp_path):
    inline = qd.open_run(networks)
    file = networks / "run.yaml"
    run = qd.run(file, out=tmp_path / "ray", executor={"kind": "ray", "workers": 2})
    tables, expected = (without_executor(log_tables(path)) for path in (run.folder.path, networks))
    for table in (tables, expected):
        for row in table["results"]:
            del row["train_seconds"]
    assert tables == expected
    kept = {path.name: path.read_bytes() for path in run.folder.weights.iterdir()}
    assert kept == {path.name: path.read_bytes() for path in inline.folder.weights.iterdir()}


def without_executor(tables):
    """The log's tables, apart from the run file, which names the executor."""
    return tables | {"meta": [row for row in tables["meta"] if row["name"] != "run_file"]}
