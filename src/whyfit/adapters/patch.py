"""Changes placed in the person's own script, keeping its format and comments.

While the script ran, every call that shaped the fit was noted with its exact position; a change is
made at the node of the syntax tree that has that position. What cannot be placed is told in words.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from whyfit.records.finding import Change
from whyfit.records.fit import Call, Fit, Place
from whyfit.records.study import Arm

DENSE_ARGUMENTS = ("units", "activation", "use_bias", "kernel_initializer", "bias_initializer")
FIT_ARGUMENTS = ("x", "y", "batch_size", "epochs")
COMPILE_ARGUMENTS = ("optimizer", "loss")


class CannotPlace(Exception):
    """A change has no place in the script; the message says why and what to do by hand."""


@dataclass(frozen=True)
class Patch:
    """A patched script: its text, and what could not be placed.

    `source` is None if anything could not be placed.
    """

    source: str | None
    words: tuple[str, ...]


@dataclass(frozen=True)
class Edit:
    """Set an argument of the call at a place: by position where it stands so, else by name."""

    place: Place
    argument: str
    value: str
    positions: tuple[str, ...] = ()


@dataclass
class _Edits:
    """What a patch consists of, gathered change by change."""

    arguments: list[Edit] = field(default_factory=list)
    replaced: list[tuple[Place, str]] = field(default_factory=list)
    repeated: list[Place] = field(default_factory=list)
    imports: dict[str, str] = field(default_factory=dict)


def patch(
    source: str, path: str, fit: Fit, changes: Arm, bias_bounds: Sequence[float] = ()
) -> Patch:
    """The script with the changes made, or words for what cannot be placed.

    `bias_bounds` has one entry for each hidden layer: the bound of its spread biases.
    """
    edits, words = _Edits(), []
    for change in _with_one_rate(changes):
        try:
            _PLACE[change.factor](fit, change, edits, path, bias_bounds)
        except CannotPlace as cannot:
            words.append(str(cannot))
    if words:
        return Patch(None, tuple(words))
    try:
        return Patch(_edited(source, edits), ())
    except (CannotPlace, cst.ParserSyntaxError) as cannot:
        return Patch(None, (str(cannot),))


def _with_one_rate(changes: Arm) -> Arm:
    """A new optimizer and a new learning rate as one change: they stand in one call."""
    levels = {change.factor: change.to for change in changes}
    if "optimizer" not in levels or "learning_rate" not in levels:
        return changes
    both = Change("optimizer", f"{levels['optimizer'].split('(')[0]}({levels['learning_rate']})")
    kept = [each for each in changes if each.factor not in ("optimizer", "learning_rate")]
    return (*kept, both)


def unified_diff(before: str, after: str, path: str) -> str:
    """A unified diff that `patch -p1` applies in the folder the path is relative to."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    lines = []
    for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}"):
        lines.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
    return "".join(lines)


def shown_path(path: str) -> str:
    """The script's path from the working folder, or its name if it lies elsewhere."""
    relative = os.path.relpath(path)
    return os.path.basename(path) if relative.startswith("..") else relative.replace(os.sep, "/")


# ---- from changes to edits ----


def _calls(fit: Fit, role: str, path: str) -> list[Call]:
    found = [call for call in fit.calls if call.role == role]
    if not found:
        raise CannotPlace(_by_hand(role, "it was not made by a call that could be found"))
    for call in found:
        if os.path.realpath(call.place.file) != os.path.realpath(path):
            name = os.path.basename(call.place.file)
            raise CannotPlace(_by_hand(role, f"it stands in another file, {name}"))
    return found


_ROLE_NAMES = {
    "input_scaler": "the scaling of x",
    "target_scaler": "the scaling of y",
    "layer": "the layer",
    "activation": "the activation",
    "optimizer": "the optimizer",
    "compile": "compile",
    "fit": "fit",
}


def _by_hand(role: str, why: str) -> str:
    return f"{_ROLE_NAMES.get(role, role)} has to be changed by hand: {why}"


def _layers(fit: Fit, path: str, wanted: Callable[[int], bool]) -> list[Call]:
    """Creations of the wanted layers; refuses a call that made unwanted ones too."""
    calls = _calls(fit, "layer", path)
    count = len(fit.recipe.layers) if fit.recipe else 0
    if len(calls) != count:
        raise CannotPlace(_by_hand("layer", "not every layer was made by a call of the script"))
    chosen = [call for call in calls if wanted(call.index)]
    others = {call.place for call in calls if not wanted(call.index)}
    if any(call.place in others for call in chosen):
        raise CannotPlace(
            _by_hand("layer", "one line makes both hidden layers and the output layer")
        )
    return chosen


def _hidden(fit: Fit) -> Callable[[int], bool]:
    last = len(fit.recipe.layers) - 1 if fit.recipe else 0
    return lambda index: index < last


def _place_scaling(role: str, name: str) -> Callable[..., None]:
    def place(fit: Fit, change: Change, edits: _Edits, path: str, _bounds: Sequence[float]) -> None:
        scaler = fit.input_scaler if role == "input_scaler" else fit.target_scaler
        wanted = "to [-1, 1]" if change.to == "[-1, 1]" else "to mean 0 and deviation 1"
        if scaler is None:
            raise CannotPlace(
                f"scale {name} {wanted} before fit"
                + (", and turn predictions back" if name == "y" else "")
                + ": the script has no scaler for it"
            )
        (call, *_more) = _calls(fit, role, path)
        if change.to == "[-1, 1]" and scaler.kind == "MinMaxScaler":
            edits.arguments.append(Edit(call.place, "feature_range", "(-1, 1)", ("feature_range",)))
            return
        kind, module = (
            ("MinMaxScaler(feature_range=(-1, 1))", "MinMaxScaler")
            if change.to == "[-1, 1]"
            else ("StandardScaler()", "StandardScaler")
        )
        edits.replaced.append((call.place, kind))
        edits.imports[module] = "sklearn.preprocessing"

    return place


def _place_on_layers(argument: str, hidden_only: bool) -> Callable[..., None]:
    def place(fit: Fit, change: Change, edits: _Edits, path: str, _bounds: Sequence[float]) -> None:
        wanted = _hidden(fit) if hidden_only else (lambda _index: True)
        for call in _layers(fit, path, wanted):
            edits.arguments.append(Edit(call.place, argument, f"'{change.to}'", DENSE_ARGUMENTS))

    return place


def _place_activation(
    fit: Fit, change: Change, edits: _Edits, path: str, _bounds: Sequence[float]
) -> None:
    hidden = _hidden(fit)
    if change.factor == "output_activation":
        wanted = lambda index: not hidden(index)  # noqa: E731
    else:
        wanted = hidden
    separate = {
        call.index: call for call in fit.calls if call.role == "activation" and wanted(call.index)
    }
    for call in _layers(fit, path, wanted):
        if call.index in separate:
            layer = separate[call.index]
            edits.replaced.append((layer.place, f"Activation('{change.to}')"))
            edits.imports["Activation"] = "keras.layers"
        else:
            edits.arguments.append(
                Edit(call.place, "activation", f"'{change.to}'", DENSE_ARGUMENTS)
            )


def _place_units(
    fit: Fit, change: Change, edits: _Edits, path: str, _bounds: Sequence[float]
) -> None:
    widths = change.to.split(", ")
    placed: dict[Place, str] = {}
    for call in _layers(fit, path, _hidden(fit)):
        if placed.setdefault(call.place, widths[call.index]) != widths[call.index]:
            raise CannotPlace(_by_hand("layer", "one line makes layers of different widths"))
        edits.arguments.append(Edit(call.place, "units", widths[call.index], DENSE_ARGUMENTS))


def _place_biases(
    fit: Fit, _change: Change, edits: _Edits, path: str, bounds: Sequence[float]
) -> None:
    for call in _layers(fit, path, _hidden(fit)):
        bound = f"{bounds[call.index]:g}"
        edits.arguments.append(
            Edit(
                call.place, "bias_initializer", f"RandomUniform(-{bound}, {bound})", DENSE_ARGUMENTS
            )
        )
    edits.imports["RandomUniform"] = "keras.initializers"


def _place_use_of_biases(
    fit: Fit, _change: Change, edits: _Edits, path: str, _bounds: Sequence[float]
) -> None:
    for call in _layers(fit, path, lambda _index: True):
        edits.arguments.append(Edit(call.place, "use_bias", "True", DENSE_ARGUMENTS))


def _place_shuffle(
    fit: Fit, change: Change, edits: _Edits, path: str, _bounds: Sequence[float]
) -> None:
    (call, *_more) = _calls(fit, "fit", path)
    value = str(change.to != "off")
    edits.arguments.append(Edit(call.place, "shuffle", value, FIT_ARGUMENTS))


def _place_loss(
    fit: Fit, change: Change, edits: _Edits, path: str, _bounds: Sequence[float]
) -> None:
    (call, *_more) = _calls(fit, "compile", path)
    edits.arguments.append(Edit(call.place, "loss", f"'{change.to}'", COMPILE_ARGUMENTS))


def _place_depth(
    fit: Fit, _change: Change, edits: _Edits, path: str, _bounds: Sequence[float]
) -> None:
    edits.repeated.append(_layers(fit, path, _hidden(fit))[-1].place)


def _place_learning_rate(
    fit: Fit, change: Change, edits: _Edits, path: str, _bounds: Sequence[float]
) -> None:
    (compiled, *_more) = _calls(fit, "compile", path)
    made = next((call for call in fit.calls if call.role == "optimizer"), None)
    if made is not None and made.place != compiled.place:
        edits.arguments.append(
            Edit(
                _calls(fit, "optimizer", path)[0].place,
                "learning_rate",
                change.to,
                ("learning_rate",),
            )
        )
        return
    name = {"sgd": "SGD", "rmsprop": "RMSprop", "adam": "Adam"}[
        fit.recipe.optimizer.name if fit.recipe else "adam"
    ]
    edits.arguments.append(
        Edit(compiled.place, "optimizer", f"{name}(learning_rate={change.to})", COMPILE_ARGUMENTS)
    )
    edits.imports[name] = "keras.optimizers"


def _place_optimizer(
    fit: Fit, change: Change, edits: _Edits, path: str, _bounds: Sequence[float]
) -> None:
    name, rate = change.to.removesuffix(")").split("(")
    kind = {"sgd": "SGD", "rmsprop": "RMSprop", "adam": "Adam"}[name]
    code = f"{kind}(learning_rate={rate})"
    edits.imports[kind] = "keras.optimizers"
    (compiled, *_more) = _calls(fit, "compile", path)
    made = next((call for call in fit.calls if call.role == "optimizer"), None)
    if made is not None and made.place != compiled.place:
        edits.replaced.append((_calls(fit, "optimizer", path)[0].place, code))
        return
    edits.arguments.append(Edit(compiled.place, "optimizer", code, COMPILE_ARGUMENTS))


def _place_on_fit(argument: str) -> Callable[..., None]:
    def place(fit: Fit, change: Change, edits: _Edits, path: str, _bounds: Sequence[float]) -> None:
        (call, *_more) = _calls(fit, "fit", path)
        edits.arguments.append(Edit(call.place, argument, change.to, FIT_ARGUMENTS))

    return place


_PLACE: dict[str, Callable[..., None]] = {
    "input_range": _place_scaling("input_scaler", "x"),
    "target_range": _place_scaling("target_scaler", "y"),
    "activation": _place_activation,
    "output_activation": _place_activation,
    "units": _place_units,
    "depth": _place_depth,
    "kernel_initializer": _place_on_layers("kernel_initializer", hidden_only=False),
    "bias_initializer": _place_biases,
    "use_bias": _place_use_of_biases,
    "shuffle": _place_shuffle,
    "loss": _place_loss,
    "optimizer": _place_optimizer,
    "learning_rate": _place_learning_rate,
    "epochs": _place_on_fit("epochs"),
    "batch_size": _place_on_fit("batch_size"),
}


# ---- from edits to text ----


def _edited(source: str, edits: _Edits) -> str:
    wrapper = MetadataWrapper(cst.parse_module(source))
    editor = _Editor(edits)
    module = wrapper.visit(editor)
    missed = editor.wanted - editor.met
    if missed:
        line = min(place.line for place in missed)
        raise CannotPlace(f"line {line} has to be changed by hand: the call there was not found")
    return _with_imports(module, edits.imports).code


class _Editor(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, edits: _Edits) -> None:
        super().__init__()
        self._edits = edits
        self.wanted = {
            _span(place)
            for place in (
                *(edit.place for edit in edits.arguments),
                *(place for place, _code in edits.replaced),
                *edits.repeated,
            )
        }
        self.met: set[_Span] = set()
        self._repeat: list[cst.Call] = []

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        here = self._span_of(original_node)
        if here not in self.wanted:
            return updated_node
        self.met.add(here)
        for place, code in self._edits.replaced:
            if _span(place) == here:
                return cst.parse_expression(code)
        changed = updated_node
        for edit in self._edits.arguments:
            if _span(edit.place) == here:
                changed = _with_argument(changed, edit)
        if here in {_span(place) for place in self._edits.repeated}:
            self._repeat.append(changed)
        return changed

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        """`model.add(Dense(...))` as a statement of its own is repeated below itself."""
        match updated_node.body:
            case [cst.Expr(value=cst.Call(args=[cst.Arg(value=inner)]))] if any(
                inner is call for call in self._repeat
            ):
                assert isinstance(inner, cst.Call)
                plain = updated_node.deep_replace(inner, _without_shape(inner))
                assert isinstance(plain, cst.SimpleStatementLine)
                return cst.FlattenSentinel([updated_node, plain.with_changes(leading_lines=())])
            case _:
                pass
        return updated_node

    def leave_List(self, original_node: cst.List, updated_node: cst.List) -> cst.List:
        """`Sequential([..., Dense(...), ...])` gets the element a second time."""
        elements = []
        for element in updated_node.elements:
            elements.append(element)
            if any(element.value is call for call in self._repeat):
                assert isinstance(element.value, cst.Call)
                if isinstance(element.comma, cst.MaybeSentinel):
                    elements[-1] = element.with_changes(
                        comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
                    )
                elements.append(element.with_changes(value=_without_shape(element.value)))
        return updated_node.with_changes(elements=elements)

    def _span_of(self, node: cst.CSTNode) -> _Span:
        position: Any = self.get_metadata(PositionProvider, node)
        start, end = position.start, position.end
        return _Span(start.line, start.column, end.line, end.column)


@dataclass(frozen=True, order=True)
class _Span:
    line: int
    column: int
    end_line: int
    end_column: int


def _span(place: Place) -> _Span:
    return _Span(place.line, place.column, place.end_line, place.end_column)


def _with_argument(call: cst.Call, edit: Edit) -> cst.Call:
    value = cst.parse_expression(edit.value)
    arguments = list(call.args)
    for at, argument in enumerate(arguments):
        named = argument.keyword is not None and argument.keyword.value == edit.argument
        place = edit.positions.index(edit.argument) if edit.argument in edit.positions else -1
        by_position = argument.keyword is None and argument.star == "" and at == place
        if named or by_position:
            arguments[at] = argument.with_changes(value=value)
            return call.with_changes(args=arguments)
        if argument.star:
            raise CannotPlace(
                f"line {edit.place.line} has to be changed by hand: "
                f"its arguments come from {'*' * len(argument.star)}"
            )
    added = cst.Arg(
        value=value,
        keyword=cst.Name(edit.argument),
        equal=cst.AssignEqual(
            whitespace_before=cst.SimpleWhitespace(""), whitespace_after=cst.SimpleWhitespace("")
        ),
    )
    if arguments and isinstance(arguments[-1].comma, cst.MaybeSentinel):
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        arguments[-1] = arguments[-1].with_changes(comma=comma)
    return call.with_changes(args=[*arguments, added])


def _without_shape(call: cst.Call) -> cst.Call:
    """A copy of a layer's call that may stand deeper in the network."""
    kept = [
        argument
        for argument in call.args
        if argument.keyword is None
        or argument.keyword.value not in ("input_dim", "input_shape", "name")
    ]
    if kept:
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return call.with_changes(args=kept)


def _with_imports(module: cst.Module, imports: dict[str, str]) -> cst.Module:
    """Imports for names the script does not have yet, below its last import at the top."""
    root = "tensorflow.keras" if "tensorflow.keras" in module.code else "keras"
    missing = []
    for name, source in sorted(imports.items()):
        if source.startswith("keras"):
            source = root + source.removeprefix("keras")
        if not _imports_name(module, name):
            missing.append(cst.parse_statement(f"from {source} import {name}\n"))
    if not missing:
        return module
    body = list(module.body)
    at = 0
    for index, statement in enumerate(body):
        if _is_import(statement):
            at = index + 1
    return module.with_changes(body=[*body[:at], *missing, *body[at:]])


def _is_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and any(
        isinstance(part, (cst.Import, cst.ImportFrom)) for part in statement.body
    )


def _imports_name(module: cst.Module, name: str) -> bool:
    for statement in module.body:
        if not isinstance(statement, cst.SimpleStatementLine):
            continue
        for part in statement.body:
            if isinstance(part, cst.ImportFrom) and not isinstance(part.names, cst.ImportStar):
                for alias in part.names:
                    bound = alias.asname.name if alias.asname else alias.name
                    if isinstance(bound, cst.Name) and bound.value == name:
                        return True
    return False
