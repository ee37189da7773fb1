"""`%%whyfit`: a notebook's cell under watch, its diagnosis below it."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics, cell_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from whyfit.errors import UsageError, WhyfitError
from whyfit.library.cells import display
from whyfit.library.watching import watch
from whyfit.study.plan import DEFAULT_BUDGET


def load_ipython_extension(ipython: Any) -> None:
    """Called by `%load_ext whyfit`."""
    ipython.register_magics(WhyfitMagics)


@magics_class
class WhyfitMagics(Magics):
    """The cell magic `%%whyfit`."""

    @magic_arguments()
    @argument("--budget", type=float, default=DEFAULT_BUDGET, help="seconds for the study")
    @argument("--tolerance", type=float, help="unexplained variance that counts as a success")
    @argument("--seed", type=int, default=0, help="seed of the study")
    @argument("--keep", default="", help="factors a fix may not touch: activation,units")
    @argument("--no-study", action="store_true", help="measure only, retrain nothing")
    @argument("--name", help="a variable to keep the diagnosis in")  # pyright: ignore[reportUntypedFunctionDecorator]
    @cell_magic
    def whyfit(self, line: str, cell: str) -> None:
        """Run the cell and explain what was trained in it."""
        asked: Any = parse_argstring(self.whyfit, line)
        try:
            seen = watch(
                budget=asked.budget,
                tolerance=asked.tolerance,
                seed=asked.seed,
                keep=asked.keep,
                retrain=not asked.no_study,
            )
        except WhyfitError as error:
            raise UsageError(f"%%whyfit: {error}") from None
        running: Any = self.shell
        with seen:
            # A line in place of the magic, so that line numbers are those of the notebook.
            running.run_cell("#\n" + cell)
        try:
            diagnosis = seen.diagnosis
        except UsageError as error:
            print(f"whyfit: {error}")
            return
        if asked.name:
            running.user_ns[asked.name] = diagnosis
        display(diagnosis)
