"""A hook of mkdocs: links into the repository work on the site too, and stored reports become pages.

Such files (a rule's cases, its source) are copied to the site beneath `sources/`, and a link that leaves
`docs/` for the repository leads there. A link to what is not copied stays as it is, and the strict build
complains of it. The reports of the gallery are kept as JSON and made into HTML here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from whyfit.report import html, panels

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("cases", "examples", "benchmarks", "src/whyfit/rules")
GALLERY = re.compile(r"gallery/\w+\.json")
KINDS = (".py", ".md", ".json")


def on_files(files: Files, config: Any) -> Files:
    """Add the repository's files that pages link to."""
    for folder in COPIED:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in KINDS and "__pycache__" not in path.parts:
                name = f"sources/{path.relative_to(ROOT).as_posix()}"
                # As text, so that a browser shows it and no page is made of it.
                files.append(File.generated(config, f"{name}.txt", abs_src_path=str(path)))
    for file in [each for each in files if GALLERY.fullmatch(each.src_uri)]:
        files.remove(file)
        report = panels.from_json(file.content_bytes)
        name = file.src_uri.removesuffix(".json") + ".html"
        files.append(File.generated(config, name, content=html.render(report)))
    return files


def on_page_markdown(markdown: str, page: Any, **_others: Any) -> str:
    """Turn links into the repository to the copies."""
    return to_copies(markdown, page.file.src_uri.count("/"))


def to_copies(markdown: str, depth: int) -> str:
    """The text of a page `depth` folders below `docs/` with its links out of `docs/` led to the copies.

    >>> to_copies("[bad.py](../../cases/x/bad.py) [other](../index.md)", 1)
    '[bad.py](../sources/cases/x/bad.py.txt) [other](../index.md)'
    """
    out = re.escape("../" * (depth + 1))
    folders = "|".join(map(re.escape, COPIED))
    return re.sub(
        rf"\]\({out}((?:{folders})/[^)#\s]*\.(?:py|md|json))\)",
        lambda link: f"]({'../' * depth}sources/{link.group(1)}.txt)",
        markdown,
    )
