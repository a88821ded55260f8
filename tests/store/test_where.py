"""`--where` reads what it may and nothing else."""

from __future__ import annotations

import random

import pytest

import qd
from qd.errors import UsageError


@pytest.fixture(scope="module")
def run(finished):
    return qd.open_run(finished)


ALLOWED = {
    "score > 1": lambda row: row["score"] > 1,
    '"order" < 20': lambda row: row["order"] < 20,
    '"order" < 20 -- a remark': lambda row: row["order"] < 20,
    "operator = 'crossover' OR operator = 'mutation'": lambda row: row["operator"] in ("crossover", "mutation"),
    "operator LIKE 'mut%'": lambda row: row["operator"].startswith("mut"),
    "emitter = 'map_elites' AND NOT score < 1": lambda row: row["score"] >= 1,
    "abs(width - height) <= 5": lambda row: abs(row["width"] - row["height"]) <= 5,
    "round(sqrt(width * width + height * height)) < 20 AND id > 50": lambda row: (
        round((row["width"] ** 2 + row["height"] ** 2) ** 0.5) < 20 and row["id"] > 50
    ),
    "width BETWEEN 3 AND 9": lambda row: 3 <= row["width"] <= 9,
    "CASE WHEN width > height THEN score ELSE 0 END > 1": lambda row: row["width"] > row["height"] and row["score"] > 1,
    "operator = 'say \"score\"'": lambda row: False,
    "score IS NULL": lambda row: False,
}


@pytest.mark.parametrize("condition", ALLOWED)
def test_conditions(run, condition):
    everything = run.elites()
    found = run.elites(condition)
    expected = everything[[ALLOWED[condition](row) for _, row in everything.iterrows()]]
    assert found["id"].tolist() == expected["id"].tolist()


REFUSED = {
    "scor > 1": "no such column: scor",
    '"scor" > 1': "no such column: \"scor\"; did you mean 'score'",
    "score >": "syntax error",
    "": "syntax error",
    "score > 1; DROP TABLE elites": "syntax error",
    "1) ; DROP TABLE elites; --": "one statement at a time",
    "1) UNION SELECT name FROM sqlite_master WHERE (1": "reached for 'sqlite_master'",
    "id IN (SELECT rootpage FROM sqlite_schema)": "reached for 'sqlite_master'",
    "EXISTS (SELECT 1 FROM pragma_table_info('elites'))": "reached for",
    "EXISTS (SELECT 1 FROM results)": "no such table: results",
    "genotype = '{}'": "no such column: genotype",
    "load_extension('evil.so')": "the function 'load_extension' may not be called",
    "readfile('/etc/passwd') IS NULL": "no such function: readfile",
    "zeroblob(1000000000) = 1": "the function 'zeroblob' may not be called",
    "randomblob(10) = 1": "the function 'randomblob' may not be called",
    "id IN (WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n FROM t)": "reached for",
    "EXISTS (SELECT 1 FROM elites a, elites b, elites c, elites d, elites e, elites f"
    " WHERE a.score + b.score + c.score + d.score + e.score + f.score > 99)": "it takes too long",
    "hex('aaaaaaaa') = 1": "the function 'hex' may not be called",
    "length(replace(replace(replace(replace('6666', '6', '{0}'), '6', '{0}'), '6', '{0}'), '6', '{0}'))".format(
        "6" * 99
    ): "too big",
    "score > ?": "binding",
    "score > 1 \0": "null character",
    "PRAGMA user_version": "syntax error",
    "ATTACH 'x.db' AS x": "syntax error",
    "(DELETE FROM elites)": "syntax error",
}


@pytest.mark.parametrize("condition", REFUSED)
def test_refused_conditions_say_what_may_be_named(run, condition):
    with pytest.raises(UsageError) as error:
        run.elites(condition)
    text = str(error.value)
    assert REFUSED[condition] in text
    assert "Expected an SQL condition over id, operator, emitter, score, width, height, order" in text
    assert len(run.elites("score > 0")) == len(run.archive)


def test_the_command_says_so_too(finished, qd_command, digests):
    before = digests(finished)
    for condition in REFUSED:
        if "\0" not in condition:  # no shell passes it
            answer = qd_command("elites", finished, "--json", "--where", condition)
            assert (answer.status, answer.out) == (2, "")
            assert "Traceback" not in answer.err
    assert digests(finished) == before


WORDS = [
    *"id operator score \"order\" emitter 1 2.5 'a' ( ) , ; = < > || + / % & ~ AND OR NOT IN IS NULL LIKE GLOB".split(),
    *"BETWEEN CASE WHEN THEN END EXISTS SELECT FROM elites WHERE UNION WITH RECURSIVE AS LIMIT ORDER BY".split(),
    *"HAVING abs round replace min count random upper x'00' 1e999 99999999999999999999 :a ? @b -- /* */".split(),
    *"COLLATE ESCAPE MATCH CAST rowid * \0 \ud800 é PRAGMA sqlite_master OVER RAISE JOIN INDEXED [ ] ` \" '".split(),
    *"json_each generate_series current_time".split(),
]


def test_any_words_are_a_condition_or_refused_in_a_few(run):
    rng = random.Random(3)
    long = ["x" * 10**6, "(" * 5000, "NOT " * 3000 + "1", f"instr('{'a' * 9000}b', '{'a' * 900}') AND " * 50 + "1"]
    for condition in [*long, *(" ".join(rng.choices(WORDS, k=rng.randrange(1, 12))) for _ in range(300))]:
        try:
            run.elites(condition)
        except UsageError as error:
            assert len(str(error)) < 1000
