-- The log of a run: append-only but for `state`. One transaction per tell.
-- A log with any other table is refused; where a statement changes, what older logs have must stay known (schema.py).
-- Metric names match [a-z][a-z0-9_]*, so a column that starts with "_" never collides with one.

CREATE TABLE meta (              -- what was fixed when the run was made
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL          -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE metrics (           -- definitions, so that looking needs no plug-in
    name      TEXT PRIMARY KEY,
    unit      TEXT NOT NULL,
    low       REAL,              -- NULL: unbounded
    high      REAL,
    direction TEXT NOT NULL,     -- maximise | minimise
    time      INTEGER NOT NULL,
    source    TEXT NOT NULL      -- evaluator | space
) STRICT;

CREATE TABLE sessions (          -- one per `run` and `resume`
    id      INTEGER PRIMARY KEY,
    started TEXT NOT NULL,       -- ISO 8601, UTC
    process TEXT NOT NULL        -- JSON: host, pid, versions, changed keys of the run file; suspects
                                 -- (see qd/search/suspects.py), and how it failed
) STRICT;

CREATE TABLE candidates (        -- every proposal, duplicates too (those have no evaluation)
    id        INTEGER PRIMARY KEY,
    emitter   TEXT NOT NULL,
    operator  TEXT NOT NULL,
    parents   TEXT NOT NULL,     -- JSON list of candidate ids
    genotype  TEXT NOT NULL,     -- canonical JSON
    key       BLOB NOT NULL,     -- 16-byte digest; equal where the architecture is the same
    readable  TEXT NOT NULL,
    twin      INTEGER            -- the earlier candidate that it repeats
) STRICT;

CREATE TABLE predictions (       -- what a model expected of a candidate when it was proposed; none: it knew nothing
    candidate INTEGER NOT NULL,
    metric    TEXT NOT NULL,     -- the objective in its own unit, or a measure on its axis's scale (log10 on "log")
    mean      REAL NOT NULL,
    deviation REAL NOT NULL,     -- standard deviation of what an evaluation would give
    PRIMARY KEY (candidate, metric)
) STRICT, WITHOUT ROWID;

CREATE TABLE models (            -- every fit of an emitter's model that made proposals
    emitter TEXT NOT NULL,
    answers INTEGER NOT NULL,    -- how many it was fitted to
    first   INTEGER NOT NULL,    -- the first candidate that it proposed
    value   TEXT NOT NULL,       -- JSON: what the model says of itself
    PRIMARY KEY (emitter, answers)
) STRICT, WITHOUT ROWID;

CREATE TABLE evaluations (       -- what was asked; told once `results` has its row
    id          INTEGER PRIMARY KEY,
    candidate   INTEGER NOT NULL,
    batch       INTEGER NOT NULL,  -- rows of one batch are sent together
    purpose     TEXT NOT NULL,     -- search | reevaluation | verification
    repeat      INTEGER NOT NULL,
    fidelity    REAL NOT NULL,
    seed        INTEGER NOT NULL,
    shared_seed INTEGER NOT NULL,
    session     INTEGER NOT NULL
) STRICT;

CREATE TABLE curves (            -- where trainings keep learning curves: of ok results, verifications left out
    evaluation INTEGER PRIMARY KEY,
    value      TEXT NOT NULL       -- JSON: epochs, and the scores of metrics after each of them; null: no finite number
) STRICT;

CREATE TABLE starts (            -- whose weights an evaluation began with, where not with fresh ones
    evaluation INTEGER PRIMARY KEY,
    source     INTEGER NOT NULL,   -- the evaluation that trained them
    spent      REAL NOT NULL       -- its fidelity, where it is the same network that goes on; 0: inherited of a parent
) STRICT;

CREATE TABLE insertions (        -- what entered the archive; where means decide, the first time that it did
    evaluation INTEGER PRIMARY KEY,
    cell       INTEGER NOT NULL,
    displaced  INTEGER
) STRICT;

CREATE TABLE refinements (       -- after this tell the archive's axes were cut finer; `insertions` name cells of the time
    tell INTEGER PRIMARY KEY,
    bins TEXT NOT NULL           -- JSON, of each axis
) STRICT;

CREATE TABLE pending (           -- `log: accepted`: batches under way, deleted when told
    batch  INTEGER PRIMARY KEY,
    value  TEXT NOT NULL,        -- JSON
    arrays BLOB                  -- safetensors: genotypes of fixed length
) STRICT;

CREATE TABLE figures (           -- `log: accepted`: how the search stood after some of its tells
    tell        INTEGER PRIMARY KEY,
    evaluations INTEGER NOT NULL,  -- finished, whatever their status
    ok          INTEGER NOT NULL,
    elites      INTEGER NOT NULL,
    cells       INTEGER NOT NULL,
    qd_score    REAL NOT NULL,
    best        REAL               -- in the objective's own unit
) STRICT;

CREATE TABLE graphs (            -- module graphs of who became an elite, of spaces whose genotype does not give them
                                 -- (version 1: of all ok candidates, of every space): zlib of networkx node-link JSON
    candidate INTEGER PRIMARY KEY,
    graph     BLOB NOT NULL
) STRICT;

CREATE TABLE tells (
    id        INTEGER PRIMARY KEY,
    seconds   REAL NOT NULL,     -- search time so far, resumes added up
    proposals INTEGER NOT NULL   -- candidates when it was told, before the next were asked
) STRICT;

CREATE TABLE state (             -- the one row that is overwritten: what the next ask starts from
    id     INTEGER PRIMARY KEY CHECK (id = 0),
    value  TEXT NOT NULL,        -- JSON
    arrays BLOB                  -- safetensors: arrays of emitters' states
) STRICT;

-- CREATE TABLE results: see schema.py; it has one REAL column per metric.
