"""Hooks of mkdocs (see mkdocs.yml): the site shows what pages link to outside docs/, and every decision.

Pages link to files of the repository by relative paths, so that they can be followed where the repository is browsed.
In the site such a file stands below `repository/`; a Markdown file becomes a page, and what it links to comes along.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\((?!\w+:)([^)\s#]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the sections of the navigation that list a folder's files: decisions and reference."""
    docs = Path(config.docs_dir)

    def fill(entries: list[Any]) -> None:
        for entry in entries:
            for title, below in entry.items() if isinstance(entry, dict) else ():
                if isinstance(below, list):
                    fill(below)
                    if below and below[0] in ("decisions/index.md", "reference/index.md"):
                        folder = below[0].partition("/")[0]
                        names = sorted(path.name for path in (docs / folder).glob("*.md") if path.name != "index.md")
                        entry[title] = [below[0], *(f"{folder}/{name}" for name in names)]

    fill(config.nav or [])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside docs/ that pages link to, and those that these link to."""
    docs = Path(config.docs_dir)
    waiting = [Path(file.abs_src_path) for file in files.documentation_pages() if file.abs_src_path]
    while waiting:
        page = waiting.pop()
        for target in _targets(page):
            uri = _uri(target, docs)
            if target.is_file() and files.get_file_from_path(uri) is None:
                added = File.generated(config, uri, abs_src_path=str(target))
                added.inclusion = added.inclusion.NOT_IN_NAV
                files.append(added)
                if target.suffix == ".md":
                    waiting.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn relative links towards where the files stand in the site; list the decisions on their page."""
    source, docs = Path(page.file.abs_src_path or ""), Path(config.docs_dir)
    if page.file.src_uri == "decisions/index.md":
        paths = sorted(path for path in (docs / "decisions").glob("*.md") if path.name != "index.md")
        titles = (path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") for path in paths)
        markdown += "\n" + "".join(f"- [{title}]({path.name})\n" for title, path in zip(titles, paths, strict=True))

    def turned(match: re.Match[str]) -> str:
        uri = _uri((source.parent / match[1]).resolve(), docs)
        return f"]({posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or '.')}"

    return LINK.sub(turned, markdown)


def _targets(page: Path) -> Iterator[Path]:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / link).resolve()
        if target.is_relative_to(ROOT):
            yield target


def _uri(path: Path, docs: Path) -> str:
    """Where a file of the repository stands in the site."""
    if path.is_relative_to(docs):
        return path.relative_to(docs).as_posix()
    return f"repository/{path.relative_to(ROOT).as_posix()}"
