"""A search whose plug-ins are careless with what they are given, or raise where nobody expects it."""

import json
import re

import pytest
import yaml

import qd
from qd.errors import QdError, UsageError

PLUGIN = '''
"""Hooks that are a little off, in the way that `how` says."""

import networkx
import numpy as np

from evaluators import Metric, SingleEvaluator
from qd.emitters import MapElites, Proposals
from search_spaces import Invalid, Real, Repeat, SearchSpace, Struct, Vector


class Space(SearchSpace):
    genes = Struct(x=Real(0, 1), more=Repeat(Real(0, 1), 1, 3))

    def __init__(self, how: str = "") -> None:
        self.how = how

    def canonical(self, genotype):
        match self.how:
            case "sorts":
                return {**genotype, "more": sorted(genotype["more"])}
            case "sorts in place":
                genotype["more"].sort()
            case "refuses" if genotype["x"] > 0.5:
                raise Invalid("no such network")
            case "raises" if genotype["x"] > 0.5:
                raise RuntimeError("a bug in canonical")
            case "exits" if genotype["x"] > 0.5:
                exit("bye")
            case "a tuple":
                return (genotype["x"], *genotype["more"])
            case "numpy's numbers":
                return {"x": np.float32(genotype["x"]), "n": np.int64(len(genotype["more"])), "more": genotype["more"]}
            case "an array":
                return np.array([genotype["x"], *genotype["more"]])
            case "numbers as names":
                return {1: genotype["x"]}
            case "a set":
                return {genotype["x"]}
            case "nothing":
                return None
            case "NaN":
                return {"x": float("nan")}
        return genotype

    def module_graph(self, genotype):
        graph = networkx.DiGraph()
        match self.how:
            case "a graph of numpy's numbers":
                graph.add_node(1, label="x", kind="dense", size=np.int64(8), layer=np.int64(0))
                return graph
            case "a bare graph":
                graph.add_node("x")
                return graph
            case "no graph but exit":
                exit()
        return None


class Vectors(SearchSpace):
    def __init__(self, how: str = "") -> None:
        self.genes = Wrong(how)


class Wrong(Vector):
    def __init__(self, how: str) -> None:
        super().__init__(0, 1, size=3)
        self.how = how

    def mutate_many(self, genotypes, rng):
        mutants = super().mutate_many(genotypes, rng)
        match self.how:
            case "parents change":
                genotypes *= 0
            case "a list":
                return mutants.tolist()
            case "outside":
                return mutants * 5
            case "too few":
                return mutants[:-1]
            case "NaN":
                return mutants * np.nan
            case "words":
                return mutants.astype(str)
            case "raises":
                raise RuntimeError("a bug in mutate_many")
        return mutants


class Off(MapElites):
    def __init__(self, space, how: str) -> None:
        super().__init__(space, 12)
        self.how = how

    def ask(self, n, archive, rng):
        given = super().ask(n, archive, rng)
        genotypes, parents, operators, _ = given
        if not len(archive):
            return given
        match self.how:
            case "ask raises":
                raise RuntimeError("a bug in ask")
            case "ask exits":
                exit(0)
            case "no proposals":
                return genotypes
            case "numpy's numbers":
                genotypes = [{**one, "x": np.float64(one["x"]), "more": tuple(one["more"])} for one in genotypes]
                return Proposals(genotypes, [np.array(ids, dtype=np.int64) for ids in parents], operators)
            case "too few":
                return Proposals(genotypes[1:], parents, operators)
            case "no operators":
                return Proposals(genotypes, parents, [None] * n)
            case "outside":
                return Proposals([{**one, "x": 7.0} for one in genotypes], parents, operators)
        return given

    def tell(self, told, archive, rng):
        match self.how:
            case "tell raises":
                raise RuntimeError("a bug in tell")
            case "what is told changes":
                for column in (told.objectives, told.candidates, *told.metrics.values()):
                    column[:] = 0
                for genotype in told.genotypes:
                    genotype.clear()
            case "the archive changes":
                archive.elites.objectives[:] = 0

    def state(self):
        match self.how:
            case "the state has numpy's numbers":
                return {**super().state(), "mine": np.int64(3)}
            case "the state is no data":
                return {**super().state(), "mine": {1}}
            case "the state is no dict":
                return 3
        return super().state()


class Score(SingleEvaluator):
    metrics = {"q": Metric(low=0, high=1), "a": Metric(low=0, high=1)}

    def __init__(self, how: str = "") -> None:
        self.how = how

    def evaluate_one(self, genotype, seed):
        x, y = (genotype["x"], genotype["more"][0]) if isinstance(genotype, dict) else genotype[:2]
        match self.how:
            case "appends" if isinstance(genotype, dict):
                genotype["more"].append("output")
            case "pops" if isinstance(genotype, dict):
                genotype.pop("x")
            case "appends" | "pops":
                genotype *= 0
        return {"q": float(x), "a": float(y)}
'''


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a run file for the plug-in above."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hooks.py").write_text(PLUGIN)

    def write(space: str = "Space", space_how: str = "", how: str = "", **changes):
        data = {
            "space": {"kind": f"hooks:{space}", "how": space_how},
            "evaluator": {"kind": "hooks:Score", "how": how},
            "archive": {"objective": "q", "measures": [{"metric": "a", "low": 0, "high": 1, "bins": 4}]},
            "emitters": [{"kind": "map_elites", "initial": 12}],
            "search": {"seed": 1, "order": "id", "chunk": 4},
            "budget": {"evaluations": 48},
            **changes,
        }
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(data))
        return tmp_path / "run.yaml"

    return write


CHANGES = [
    ("Space", "", "", "pops"),
    ("Space", "", "", "appends"),
    ("Space", "sorts", "sorts in place", ""),
    ("Vectors", "", "", "pops"),
    ("Vectors", "", "parents change", ""),
]


@pytest.mark.parametrize("log", ["all", "accepted"])
@pytest.mark.parametrize(("space", "before", "after", "how"), CHANGES)
def test_code_that_changes_what_it_gets_changes_nothing_else(write, log_tables, log, space, before, after, how) -> None:
    harmless = qd.run(write(space, before, log=log), out="harmless")
    careless = qd.run(write(space, after, how, log=log), out="careless")
    tables, expected = log_tables(careless.folder.path), log_tables(harmless.folder.path)
    names = ["evaluations", "results", "insertions"]
    assert {name: tables[name] for name in names} == {name: expected[name] for name in names}
    assert [row["genotype"] for row in tables["candidates"]] == [row["genotype"] for row in expected["candidates"]]


TAKEN = ["a tuple", "numpy's numbers", "an array", "numbers as names"]
REFUSED = {
    "refuses": ("invalid", "^no such network$"),
    "raises": ("failed", "(?s)Traceback.*hooks.py.*RuntimeError: a bug in canonical"),
    "exits": ("failed", "(?s)Traceback.*SystemExit: bye"),
}
BROKEN = {
    "a set": "TypeError: expected plain data .*got {0",
    "nothing": "TypeError: Space.canonical must return a genotype, got None",
    "NaN": "ValueError: Out of range float values",
}


@pytest.mark.parametrize("how", TAKEN)
def test_a_canonical_form_may_be_any_plain_data(write, how) -> None:
    assert qd.run(write(space_how=how), out="out").summary()["evaluations"]["ok"] == 48


@pytest.mark.parametrize(("kind", "how"), [*(("map_elites", how) for how in REFUSED), ("guided", "refuses")])
def test_an_architecture_of_which_the_space_gives_no_key_fails_alone(write, log_tables, kind, how) -> None:
    status, reason = REFUSED[how]
    changes = {"space_how": how, "emitters": [{"kind": kind, "initial": 12}]}
    whole = qd.run(write(**changes), out="whole")
    results = log_tables(whole.folder.path)["results"]
    failed = [row for row in results if row["_error"] is not None]
    genotypes = {row["id"]: json.loads(row["genotype"]) for row in log_tables(whole.folder.path)["candidates"]}
    candidates = {row["id"]: row["candidate"] for row in log_tables(whole.folder.path)["evaluations"]}
    assert {row["_evaluation"] for row in failed} == {id for id in candidates if genotypes[candidates[id]]["x"] > 0.5}
    assert 0 < len(failed) < len(results) == 48
    assert {row["_status"] for row in failed} == {qd.candidates.Status[status.upper()]}
    for row in failed:
        assert re.search(reason, row["_error"])

    def stop(search):
        if search.evaluations == 24:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        qd.run(write(**changes), out="half", progress=stop)
    half = qd.resume("half")
    assert (
        log_tables(half.folder.path, resumed=True)["results"] == log_tables(whole.folder.path, resumed=True)["results"]
    )


@pytest.mark.parametrize("how", BROKEN)
def test_a_space_that_never_gives_a_key_ends_the_search_and_says_why(write, how) -> None:
    with pytest.raises(QdError, match=f"(?s)first 3. evaluations all failed.*{BROKEN[how]}"):
        qd.run(write(space_how=how), out="out")
    assert qd.open_run("out").count >= 30


def test_who_asks_and_tells_is_not_asked_for_what_has_no_key(write) -> None:
    file = write(space_how="refuses", search={"order": "arrival"})
    with qd.open_search(file, out="out") as search:
        with pytest.raises(UsageError, match=r"propose: hooks:Space gives no key of it \(Invalid: no such network\)"):
            search.propose({"x": 0.9, "more": [0.5]})
        asked = search.ask(20)
        assert len(asked) == 20
        assert all(one.genotype["x"] <= 0.5 for one in asked)
        assert search.evaluations > 0
    run = qd.open_run("out")
    assert run.summary()["evaluations"]["invalid"] == run.count > 0


def test_a_module_graph_of_numpys_numbers_is_logged(write) -> None:
    run = qd.run(write(space_how="a graph of numpy's numbers"), out="out")
    graph = run.module_graph(int(run.archive.elites.candidates[0]))
    assert graph is not None
    assert dict(graph.nodes(data=True)) == {"1": {"label": "x", "kind": "dense", "size": 8, "layer": 0}}


@pytest.mark.parametrize(
    ("how", "reason"), [("a bare graph", "node 'x': expected a text as label"), ("no graph but exit", "SystemExit")]
)
def test_where_there_is_no_module_graph_it_is_said_once(write, logged, how, reason) -> None:
    run = qd.run(write(space_how=how), out="out")
    assert run.count == 48
    assert run.module_graph(int(run.archive.elites.candidates[0])) is None
    said = [text for text in logged.messages if "module_graph" in text]
    assert len(said) == 1
    assert "Space.module_graph: " in said[0]
    assert reason in said[0]


def off(how: str) -> dict:
    return {"emitters": [{"kind": "hooks:Off", "how": how}]}


@pytest.mark.parametrize("how", ["numpy's numbers", "what is told changes", "the state has numpy's numbers"])
def test_what_an_emitter_means_is_taken(write, log_tables, how) -> None:
    expected = log_tables(qd.run(write(**off("")), out="expected").folder.path)
    found = log_tables(qd.run(write(**off(how)), out="found").folder.path)
    for name in ("candidates", "results", "insertions"):
        assert found[name] == expected[name]


BREACHES = {
    "ask raises": "ask of Off .*hooks.py.* failed:.*RuntimeError: a bug in ask",
    "ask exits": "ask of Off .* failed:.*SystemExit: 0",
    "tell raises": "tell of Off .* failed:.*RuntimeError: a bug in tell",
    "no proposals": "ask of Off .* broke its contract:.*expected Proposals, got list",
    "too few": "expected 4 genotypes, with parents and an operator for each, got 3 genotypes, 4 parents, 4 operators",
    "no operators": "expected names of operators, got None",
    "outside": r"genotypes\[0\].x: expected .*got 7.0",
    "the archive changes": "ValueError: assignment destination is read-only",
    "the state is no data": r"emitters \(hooks:Off\): state\(\) must return plain data, .*got {1}",
    "the state is no dict": "state of Off .*expected a dict, got int",
}


@pytest.mark.parametrize("how", BREACHES)
def test_an_emitter_that_breaks_its_contract_ends_the_search_in_order(write, how) -> None:
    with pytest.raises(QdError, match=f"(?s){BREACHES[how]}"):
        qd.run(write(**off(how)), out="out")


@pytest.mark.parametrize("log", ["all", "accepted"])
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("outside", r"expected a real number in \[0, 1\], got"),
        ("too few", "genotypes, with parents and an operator for each"),
        ("NaN", r"expected a real number in \[0, 1\], got nan"),
        ("words", "expected numbers of shape"),
        ("raises", "RuntimeError: a bug in mutate_many"),
    ],
)
def test_operators_that_break_their_contract_end_the_search_in_order(write, log, how, message) -> None:
    with pytest.raises(QdError, match=f"(?s)ask of MapElites .*, with Wrong .*hooks.py.*{message}.*qd resume out"):
        qd.run(write("Vectors", how, log=log), out="out")


@pytest.mark.parametrize("log", ["all", "accepted"])
def test_a_list_of_vectors_is_taken(write, log_tables, log) -> None:
    expected = log_tables(qd.run(write("Vectors", log=log), out="expected").folder.path)
    found = log_tables(qd.run(write("Vectors", "a list", log=log), out="found").folder.path)
    assert found["insertions"] == expected["insertions"]


def test_after_mending_the_emitter_such_a_search_goes_on(write, tmp_path, logged, monkeypatch) -> None:
    with pytest.raises(QdError, match="a bug in tell"):
        qd.run(write(**off("tell raises")), out="out")
    (tmp_path / "hooks.py").write_text(PLUGIN.replace('raise RuntimeError("a bug in tell")', "pass"))
    assert qd.resume("out").count == 48
