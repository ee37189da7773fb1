"""Runs a script as `python script.py` would, and watches its fits."""

from __future__ import annotations

import ast
import importlib.util
import io
import os
import random
import sys
import traceback
import types
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import wrapt

from whyfit.adapters import forks
from whyfit.adapters._adapter import Adapter, Session
from whyfit.adapters.afterwards import drawn_lines, with_what_followed
from whyfit.adapters.keras.adapter import KerasAdapter
from whyfit.adapters.places import is_ours
from whyfit.adapters.sklearn.adapter import SklearnAdapter
from whyfit.adapters.torch.adapter import TorchAdapter
from whyfit.adapters.watching import Watch, guarded, watch_seeds
from whyfit.errors import ScriptNotFound, ScriptSyntaxError
from whyfit.records.fit import Fit

ADAPTERS: tuple[type[Adapter], ...] = (KerasAdapter, TorchAdapter, SklearnAdapter)

MOST_FIGURES = 4
INTERRUPTED = 130


@dataclass(frozen=True)
class Program:
    """Code to run as `__main__`: where it is, what it says, and what it was called with.

    `written` is the text in the file where that is not what runs (`--compat`).
    """

    path: str
    source: str
    code: types.CodeType
    arguments: tuple[str, ...]
    folder: str
    spec: Any = None
    written: str | None = None

    @property
    def in_file(self) -> str:
        """The text that stands in the file."""
        return self.source if self.written is None else self.written


@dataclass(frozen=True)
class Captured:
    """What running a script gave: its fits and how it ended.

    `program` is None where whyfit watched part of a program that it did not start itself. `status`
    is the exit status that plain Python would have given; `error` is the script's own exception in
    one line, if it raised one, and `error_line` where in the script; `figures` are its plots as PNG.
    """

    program: Program | None
    fits: tuple[Fit, ...]
    status: int
    error: str | None
    interrupted: bool
    figures: tuple[bytes, ...]
    problems: tuple[str, ...]
    error_line: int | None = None


def load_script(path: str, arguments: Sequence[str]) -> Program:
    """Read and compile a script. Raises ScriptNotFound or ScriptSyntaxError."""
    file = Path(path)
    if file.is_dir():
        raise ScriptNotFound(f"{path} is a folder: name the script in it that trains the network")
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise ScriptNotFound(f"there is no script {path}: check its name and folder") from None
    except OSError as error:
        raise ScriptNotFound(f"{path} cannot be read: {error.strerror}") from None
    full = os.path.abspath(path)
    return _compiled(content, path, full, arguments, os.path.dirname(full), None)


def load_module(name: str, arguments: Sequence[str]) -> Program:
    """Find and compile a module, as `python -m name` does."""
    sys.path.insert(0, os.getcwd())
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except (ImportError, ValueError):
        spec = None
    finally:
        sys.path.pop(0)
    if spec is None or spec.origin is None or not os.path.exists(spec.origin):
        raise ScriptNotFound(f"there is no module {name} to run: check its name and folder")
    content = Path(spec.origin).read_bytes()
    return _compiled(content, spec.origin, spec.origin, arguments, os.getcwd(), spec)


def with_source(program: Program, source: str) -> Program:
    """The same program with another text."""
    content = source.encode()
    changed = _compiled(
        content, program.path, program.path, program.arguments, program.folder, program.spec
    )
    return replace(changed, written=program.in_file)


def _compiled(
    content: bytes, shown: str, path: str, arguments: Sequence[str], folder: str, spec: Any
) -> Program:
    try:
        tree = ast.parse(content, filename=path)
        code = compile(tree, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise ScriptSyntaxError(
            f"{shown} is not valid Python, line {error.lineno}: {error.msg}"
        ) from None
    except ValueError as error:  # null bytes
        raise ScriptSyntaxError(f"{shown} is not valid Python: {error}") from None
    source = io.TextIOWrapper(io.BytesIO(content), encoding=_encoding(content), newline="").read()
    return Program(path, source, code, tuple(arguments), folder, spec)


def _encoding(content: bytes) -> str:
    import tokenize

    return tokenize.detect_encoding(io.BytesIO(content).readline)[0]


def run(
    program: Program,
    session: Session,
    *,
    seed: int | None = None,
    show: bool = False,
    adapters: Sequence[Adapter] | None = None,
) -> Captured:
    """Run a program as `__main__` under watch of all adapters, or of those given.

    What it prints passes through; what it raises is shown as Python would show it, without our own
    frames. With `seed`, generators that the script leaves unseeded start from there. Plots never
    block unless `show`.
    """
    session.unseeded = seed
    if seed is not None:
        random.seed(seed)
        np.random.seed(seed % 2**32)
    with _as_main(program):
        if not show:
            os.environ.setdefault("MPLBACKEND", "Agg")
        try:
            with forks.noticed() as forked, watched(session, adapters, plots=not show):
                status, error, line = _execute(program)
        finally:
            _flush()
    if (
        forked.in_child
    ):  # a copy of the script's that came to its end: the diagnosis is the parent's
        sys.exit(status)
    if forked.seen:
        session.remarks.append(forks.NOT_FOLLOWED)
    return Captured(
        program,
        with_what_followed(session),
        status,
        error,
        status == INTERRUPTED and error == "KeyboardInterrupt",
        tuple(session.figures),
        (*dict.fromkeys(session.remarks), *session.problems),
        line,
    )


@contextmanager
def watched(
    session: Session, adapters: Sequence[Adapter] | None = None, *, plots: bool = False
) -> Generator[None]:
    """Watch all that is trained inside; afterwards the session holds it and all is as before.

    With `plots` figures are kept instead of shown.
    """
    if adapters is None:
        adapters = [adapter() for adapter in ADAPTERS]
    watch = Watch()
    watch_seeds(session, watch)
    if plots:
        _quiet_show(session, watch)
    for adapter in adapters:
        adapter.install(session)
    try:
        yield
    finally:
        if plots:
            guarded(session, "keeping the figures", lambda: _keep_figures(session))
        for adapter in adapters:
            adapter.remove()
        watch.restore()


@contextmanager
def _as_main(program: Program) -> Generator[None]:
    """Make argv, path and `__main__` what the script expects, and put ours back."""
    kept_argv, kept_path, kept_main = sys.argv, list(sys.path), sys.modules["__main__"]
    module = types.ModuleType("__main__")
    module.__file__ = program.path
    module.__builtins__ = __builtins__  # type: ignore[attr-defined]
    module.__loader__ = None
    if program.spec is not None:
        module.__spec__ = program.spec
        module.__package__ = program.spec.parent
        module.__loader__ = program.spec.loader
    else:
        module.__package__ = None
    sys.argv = [program.path if program.spec else _as_given(program), *program.arguments]
    sys.path.insert(0, program.folder)
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.argv, sys.path[:] = kept_argv, kept_path
        sys.modules["__main__"] = kept_main


def _as_given(program: Program) -> str:
    relative = os.path.relpath(program.path)
    return program.path if relative.startswith("..") else relative


def _execute(program: Program) -> tuple[int, str | None, int | None]:
    """Exit status, the exception in one line, and the line of the script that it came from."""
    namespace = sys.modules["__main__"].__dict__
    try:
        exec(program.code, namespace)
    except SystemExit as stop:
        return _exit_status(stop.code), None, None
    except KeyboardInterrupt as stop:
        _show_as_python_would(stop)
        return INTERRUPTED, "KeyboardInterrupt", None
    except BaseException as error:
        _show_as_python_would(error)
        return 1, f"{type(error).__name__}: {error}", _line_in(program, error)
    return 0, None, None


def _line_in(program: Program, error: BaseException) -> int | None:
    """The innermost line of the script on the way to an exception."""
    lines = [
        line
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == program.path
    ]
    return lines[-1] if lines else None


def _exit_status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _show_as_python_would(error: BaseException) -> None:
    """The traceback without our frames, by the hook the script may have set."""
    _without_our_frames(error)
    sys.stdout.flush()
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except Exception:  # a hook of the script's own may itself fail
        traceback.print_exception(error)


def _without_our_frames(error: BaseException) -> None:
    """Take whyfit's frames out of the tracebacks of an exception and of those that led to it."""
    seen: set[int] = set()
    chain: list[BaseException | None] = [error]
    while chain:
        one = chain.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        nodes: list[types.TracebackType] = []
        node = one.__traceback__
        while node is not None:
            if not is_ours(node.tb_frame.f_code.co_filename):
                nodes.append(node)
            node = node.tb_next
        rebuilt: types.TracebackType | None = None
        for node in reversed(nodes):
            rebuilt = types.TracebackType(rebuilt, node.tb_frame, node.tb_lasti, node.tb_lineno)
        one.__traceback__ = rebuilt
        chain += [one.__cause__, one.__context__]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()


# ---- plots ----


def _quiet_show(session: Session, watch: Watch) -> None:
    def hook(pyplot: Any) -> None:
        def show(_wrapped: Any, _instance: Any, _args: Any, _kwargs: Any) -> None:
            guarded(session, "keeping the figures", lambda: _keep_figures(session))

        watch.wrap(pyplot, "show", show)

    wrapt.when_imported("matplotlib.pyplot")(hook)


def _keep_figures(session: Session) -> None:
    """Open figures as PNG, then closed as a window would be that the person shuts."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    for number in pyplot.get_fignums():
        if len(session.figures) < MOST_FIGURES:
            content = io.BytesIO()
            pyplot.figure(number).savefig(content, format="png", dpi=80)
            session.figures.append(content.getvalue())
            session.drawn += drawn_lines(pyplot.figure(number))
    pyplot.close("all")
