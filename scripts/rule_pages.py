"""Write docs/rules/*.md from the rules' docstrings. With --check, only say whether they are fresh."""

from __future__ import annotations

import sys
from pathlib import Path

from whyfit.rules import HEADINGS, RULES, Rule

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "rules"


def sections(rule: Rule) -> list[tuple[str, str]]:
    """The headings of a rule's page, each with its text on one line."""
    places = [rule.page.index(heading) for heading in HEADINGS]
    ends = [*places[1:], len(rule.page)]
    return [
        (heading.rstrip(":"), " ".join(rule.page[at + len(heading) : end].split()))
        for heading, at, end in zip(HEADINGS, places, ends, strict=True)
    ]


def page(rule: Rule) -> str:
    """One rule as Markdown."""
    file = rule.slug.replace("-", "_")
    lines = [f"# {rule.slug}", "", rule.title, ""]
    for heading, text in sections(rule):
        lines += [f"**{heading}.** {capital(text)}", ""]
    lines += [
        f"Shown by [the fault](../../cases/{file}/bad.py) and [without it](../../cases/{file}/good.py); "
        f"the limits and their sources stand in [the rule](../../src/whyfit/rules/{file}.py).",
        "",
    ]
    return "\n".join(lines)


def capital(text: str) -> str:
    """The text with a capital letter first."""
    return text[:1].upper() + text[1:]


def index() -> str:
    """The list of all rules."""
    lines = ["# What whyfit looks for", ""]
    lines += [f"- [{rule.slug}]({rule.slug}.md): {rule.title}" for rule in RULES]
    return "\n".join([*lines, ""])


def pages() -> dict[str, str]:
    """All files of the folder and what they hold."""
    return {"index.md": index(), **{f"{rule.slug}.md": page(rule) for rule in RULES}}


def stale() -> list[str]:
    """Names of files that are missing, different, or of no rule."""
    wanted = pages()
    there = {path.name: path.read_text() for path in FOLDER.glob("*.md")}
    return sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))


def main() -> int:
    """Write or check."""
    if "--check" in sys.argv:
        print("\n".join(stale()) or "all rule pages are fresh")
        return len(stale())
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.md"):
        path.unlink()
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
