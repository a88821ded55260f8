"""The documentation site is built without a warning, and leads to every page."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `mkdocs build` makes it where no other machine can be reached."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    nowhere = {f"{name}_proxy": "http://127.0.0.1:9" for name in ("http", "https", "HTTP", "HTTPS")}
    environment = os.environ | nowhere | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return folder


def test_the_index_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#]+)\)", (ROOT / "docs/index.md").read_text()))
    assert set(PAGES) - linked == {"index.md"}
    pages = {f"reference/{path.name}" for path in (ROOT / "docs/reference").glob("*.md")}
    listed = set(re.findall(r"\]\(([^)#]+)\)", (ROOT / "docs/reference/index.md").read_text()))
    assert pages - {f"reference/{name}" for name in listed} == {"reference/index.md"}


def test_pages_pictures_and_files_of_the_repository_are_in_the_site(site: Path) -> None:
    for name in PAGES:
        assert (site / name).with_suffix(".html").is_file()
    for name in ("images/floors.svg", "repository/index.html", "repository/CONTRIBUTING.html"):
        assert (site / name).is_file(), name
    decisions = (site / "decisions/index.html").read_text()
    for path in (ROOT / "docs/decisions").glob("[0-9]*.md"):
        assert f'href="{path.stem}.html"' in decisions, path.name


def test_the_reference_has_what_people_call_and_derive_from(site: Path) -> None:
    html = "".join(path.read_text() for path in (site / "reference").glob("*.html"))
    for name in (
        "qd.run",
        "search_spaces.SearchSpace",
        "search_spaces.SearchSpace.build",
        "evaluators.Evaluator.evaluate",
        "qd.archives.Archive",
        "qd.emitters.Emitter",
        "qd.testing.SpaceConformance",
    ):
        assert f'id="{name}"' in html, name
    assert "qd.cli" not in re.findall(r'id="([\w.]+)"', html)


def test_a_warning_ends_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# A page\n\n[a page that is not there](missing.md)\n")
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    del settings["hooks"], settings["nav"]
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "mkdocs", "build"]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1
    assert "contains a link 'missing.md', but the target is not found" in done.stderr


def test_the_citation_has_the_projects_version_and_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = (ROOT / "pyproject.toml").read_text()
    assert f'\nversion = "{citation["version"]}"\n' in project
    assert f'\nlicense = "{citation["license"]}"\n' in project


def test_the_hosted_workflow_calls_the_projects_own_check() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    steps = [step.get("run") for job in workflow["jobs"].values() for step in job["steps"]]
    assert "scripts/test" in steps
    versions = {one["python"] for one in workflow["jobs"]["test"]["strategy"]["matrix"]["include"]}
    assert versions == set(re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text()))
