"""Edits of a script's text, made on its syntax tree so that format and comments stay.

While the script ran, every call that shaped the fit was noted with its exact position; an edit is
made at the node of the tree that has that position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from whyfit.records.fit import Place
from whyfit.syntax import names


class CannotPlace(Exception):
    """A change has no place in the script; the message says why and what to do by hand."""


@dataclass(frozen=True)
class Edit:
    """Set an argument of the call at a place: by position where it stands so, else by name.

    Where the argument is a name that is assigned once, as a plain number or text, and used for nothing
    else, the assignment is changed instead.
    """

    place: Place
    argument: str
    value: str
    positions: tuple[str, ...] = ()


Rewrite = Callable[[cst.Call], cst.BaseExpression]
Replace = Callable[[cst.BaseExpression], cst.BaseExpression]


@dataclass
class Edits:
    """What a patch consists of, gathered change by change.

    `replaced` calls become other code; `rewritten` ones what a function makes of them; `repeated` layers
    come twice; `inserted` lines go above the statement that holds a call; `above` ones above the loop
    that begins at a line of the script; `below` ones below the statement at a place; `following`
    arguments come after an argument that is a call; `removed` calls go with their line, which is nothing
    else; `after` lines come below the whole loop at a place; `expressions`, which are no calls, become
    what a function makes of them; `imports` are names and where they come from ("" for a module);
    `constants` are names whose assignment gets another value.
    """

    arguments: list[Edit] = field(default_factory=list)
    replaced: list[tuple[Place, str]] = field(default_factory=list)
    rewritten: list[tuple[Place, Rewrite]] = field(default_factory=list)
    repeated: list[Place] = field(default_factory=list)
    inserted: list[tuple[Place, str]] = field(default_factory=list)
    above: list[tuple[int, str]] = field(default_factory=list)
    below: list[tuple[Place, str]] = field(default_factory=list)
    following: list[tuple[Place, str]] = field(default_factory=list)
    removed: list[Place] = field(default_factory=list)
    after: list[tuple[Place, str]] = field(default_factory=list)
    expressions: list[tuple[Place, Replace]] = field(default_factory=list)
    imports: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)


def edited(source: str, edits: Edits) -> str:
    """The text with all edits made. Raises CannotPlace where a call is not where it was."""
    module = cst.parse_module(source)
    edits = replace(edits, **_constants_moved(module, edits))
    editor = _Editor(edits)
    module = MetadataWrapper(module).visit(editor)
    missed = editor.wanted - editor.met
    if missed:
        line = min(place.line for place in missed)
        raise CannotPlace(f"line {line} has to be changed by hand: the call there was not found")
    if editor.not_repeated:
        line = min(place.line for place in edits.repeated)
        raise CannotPlace(f"the layer of line {line} has to be put in once more by hand")
    first = min((place.line for place in editor.wanted), default=10**9)
    return _with_imports(module, edits.imports, _last_import(source, first)).code


def calls_within(
    source: str, wanted: Callable[[cst.Call], bool], first: int, last: int
) -> list[tuple[cst.Call, Place]]:
    """Calls of a kind between two lines (from 1, inclusive), in the order of the text."""
    finder = _Finder(wanted, first, last)
    MetadataWrapper(cst.parse_module(source)).visit(finder)
    return sorted(finder.found, key=lambda each: (each[1].line, each[1].column))


class _Finder(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, wanted: Callable[[cst.Call], bool], first: int, last: int) -> None:
        super().__init__()
        self._wanted, self._first, self._last = wanted, first, last
        self.found: list[tuple[cst.Call, Place]] = []

    def visit_Call(self, node: cst.Call) -> None:
        position: Any = self.get_metadata(PositionProvider, node)
        start, end = position.start, position.end
        if self._first <= start.line and end.line <= self._last and self._wanted(node):
            self.found.append((node, Place("", start.line, start.column, end.line, end.column)))


def _constants_moved(module: cst.Module, edits: Edits) -> dict[str, Any]:
    """Edits of arguments that are names become edits of the assignment, where that changes no more."""
    finder = _Finder(lambda _call: True, 0, 10**9)
    MetadataWrapper(module).visit(finder)
    calls = {_span(place): call for call, place in finder.found}
    named: dict[str, list[Edit]] = {}
    for edit in edits.arguments:
        call = calls.get(_span(edit.place))
        given = None if call is None else argument_of(call, edit.argument, edit.positions)
        if given is not None and isinstance(given.value, cst.Name):
            named.setdefault(given.value.value, []).append(edit)
    moved: dict[str, str] = {}
    for name, group in named.items():
        line = names.tried_in_turn(module, name)
        if line is not None:
            raise CannotPlace(
                f"give {name} the value {group[0].value} in line {line}, where the script tries "
                "several in turn"
            )
        places = {(_span(edit.place), edit.argument) for edit in group}
        values = {edit.value for edit in group}
        once = names.constant(module, name) is not None
        if once and len(values) == 1 and names.uses(module, name) == len(places):
            moved[name] = values.pop()
    kept = [edit for edit in edits.arguments if not any(edit in named[name] for name in moved)]
    return {"arguments": kept, "constants": {**edits.constants, **moved}}


# ---- the editor ----


class _Editor(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, edits: Edits) -> None:
        super().__init__()
        self._edits = edits
        self.wanted = {
            _span(place)
            for place in (
                *(edit.place for edit in edits.arguments),
                *(place for place, _code in edits.replaced),
                *(place for place, _rewrite in edits.rewritten),
                *(place for place, _lines in edits.inserted),
                *(place for place, _code in edits.following),
                *(place for place, _line in edits.below),
                *(place for place, _line in edits.after),
                *(place for place, _make in edits.expressions),
                *edits.removed,
                *edits.repeated,
            )
        }
        self.met: set[_Span] = set()
        self._repeat: list[cst.Call] = []
        self.not_repeated = 0
        self._above: list[str] = []

    def on_leave(self, original_node: cst.CSTNode, updated_node: Any) -> Any:
        made = super().on_leave(original_node, updated_node)
        if isinstance(original_node, cst.Call) or not isinstance(made, cst.BaseExpression):
            return made
        for place, make in self._edits.expressions:
            if _span(place) == self._span_of(original_node):
                self.met.add(_span(place))
                return make(made)
        return made

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        here = self._span_of(original_node)
        if here not in self.wanted:
            return self._with_followers(original_node, updated_node)
        self.met.add(here)
        for place, lines in self._edits.inserted:
            if _span(place) == here and lines not in self._above:
                self._above.append(lines)
        for place, code in self._edits.replaced:
            if _span(place) == here:
                return cst.parse_expression(code)
        changed = self._with_followers(original_node, updated_node)
        for edit in self._edits.arguments:
            if _span(edit.place) == here:
                changed = _with_argument(changed, edit)
        if here in {_span(place) for place in self._edits.repeated}:
            self._repeat.append(changed)
            self.not_repeated += 1
        made: cst.BaseExpression = changed
        for place, rewrite in self._edits.rewritten:
            if _span(place) == here and isinstance(made, cst.Call):
                made = rewrite(made)
        return made

    def _with_followers(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        """`Sequential(..., ReLU(), ...)` gets more arguments after one of them."""
        arguments = list(updated.args)
        for at in reversed(range(len(original.args))):
            value = original.args[at].value
            if not isinstance(value, cst.Call):
                continue
            for place, code in self._edits.following:
                if _span(place) == self._span_of(value):
                    arguments[at + 1 : at + 1] = _arguments(code)
                    if isinstance(arguments[at].comma, cst.MaybeSentinel):
                        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
                        arguments[at] = arguments[at].with_changes(comma=comma)
        return (
            updated if len(arguments) == len(updated.args) else updated.with_changes(args=arguments)
        )

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        match updated_node.targets:
            case [cst.AssignTarget(target=cst.Name(value=name))] if name in self._edits.constants:
                value = cst.parse_expression(self._edits.constants[name])
                return updated_node.with_changes(value=value)
            case _:
                return updated_node

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        if any(
            _span(place) == self._span_of(original_node.body[0]) for place in self._edits.removed
        ):
            return cst.FlattenSentinel([])
        below = [cst.parse_statement(each + "\n") for each in self._below(original_node.body)]
        if self._above or below:
            lines = [cst.parse_statement(each + "\n") for each in self._above]
            self._above = []
            return cst.FlattenSentinel([*lines, updated_node, *below])
        return self._repeated(updated_node)

    def _below(self, statements: Sequence[cst.BaseSmallStatement]) -> list[str]:
        """Lines that go below a line of these statements."""
        spans = {self._span_of(each) for each in statements}
        wanted = [(_span(place), line) for place, line in self._edits.below]
        self.met |= spans & {span for span, _line in wanted}
        return [line for span, line in wanted if span in spans]

    def leave_SimpleStatementSuite(
        self, original_node: cst.SimpleStatementSuite, updated_node: cst.SimpleStatementSuite
    ) -> cst.SimpleStatementSuite:
        if self._above:  # `for ...: a; b` on one line has no line to put them above
            line = self._span_of(original_node).line
            raise CannotPlace(f"line {line} has to be changed by hand: put in {self._above[0]}")
        if below := self._below(original_node.body):
            # `for ...: a` goes on in its line: `for ...: a; b`
            more = cst.parse_statement("; ".join(below) + "\n")
            assert isinstance(more, cst.SimpleStatementLine)
            last = updated_node.body[-1].with_changes(
                semicolon=cst.Semicolon(whitespace_after=cst.SimpleWhitespace(" "))
            )
            return updated_node.with_changes(body=[*updated_node.body[:-1], last, *more.body])
        return updated_node

    def _repeated(
        self, statement: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        """`model.add(Dense(...))` as a statement of its own is repeated below itself."""
        match statement.body:
            case [cst.Expr(value=cst.Call(args=[cst.Arg(value=inner)]))] if any(
                inner is call for call in self._repeat
            ):
                assert isinstance(inner, cst.Call)
                plain = statement.deep_replace(inner, _without_shape(inner))
                assert isinstance(plain, cst.SimpleStatementLine)
                self.not_repeated -= 1
                return cst.FlattenSentinel([statement, plain.with_changes(leading_lines=())])
            case [
                cst.Assign(
                    targets=[cst.AssignTarget(target=cst.Name() as made)],
                    value=cst.Call(func=inner, args=[cst.Arg()]) as call,
                )
            ] if any(inner is each for each in self._repeat):
                # h = Dense(...)(x) is followed by h = Dense(...)(h)
                assert isinstance(inner, cst.Call)
                again = cst.Call(func=_without_shape(inner), args=[cst.Arg(made)])
                below = statement.deep_replace(call, again)
                assert isinstance(below, cst.SimpleStatementLine)
                self.not_repeated -= 1
                return cst.FlattenSentinel([statement, below.with_changes(leading_lines=())])
            case _:
                pass
        return statement

    def leave_For(self, original_node: cst.For, updated_node: cst.For) -> Any:
        return self._beside_loop(original_node, updated_node)

    def leave_While(self, original_node: cst.While, updated_node: cst.While) -> Any:
        return self._beside_loop(original_node, updated_node)

    def _beside_loop(self, original: cst.CSTNode, updated: cst.BaseStatement) -> Any:
        here = self._span_of(original)
        above = [code for at, code in self._edits.above if at == here.line]
        after = [code for place, code in self._edits.after if _span(place) == here]
        self.met |= {here} if after else set()
        if not above and not after:
            return updated
        before, behind = (
            [cst.parse_statement(each + "\n") for each in lines] for lines in (above, after)
        )
        return cst.FlattenSentinel([*before, updated, *behind])

    def leave_List(self, original_node: cst.List, updated_node: cst.List) -> cst.List:
        """`Sequential([..., Dense(...), ...])` gets the element a second time."""
        elements = []
        for element in updated_node.elements:
            elements.append(element)
            if any(element.value is call for call in self._repeat):
                assert isinstance(element.value, cst.Call)
                self.not_repeated -= 1
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


def _arguments(code: str) -> list[cst.Arg]:
    call = cst.parse_expression(f"f({code}, )")
    assert isinstance(call, cst.Call)
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    return [each.with_changes(comma=comma) for each in call.args]


def argument_of(call: cst.Call, name: str, positions: Sequence[str] = ()) -> cst.Arg | None:
    """The argument of a call by its name, or by its place among `positions`."""
    place = positions.index(name) if name in positions else -1
    for at, argument in enumerate(call.args):
        if argument.star:
            return None
        if argument.keyword is not None and argument.keyword.value == name:
            return argument
        if argument.keyword is None and at == place:
            return argument
    return None


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


def _last_import(source: str, before: int) -> int:
    """How many statements of a script come before a line and up to its last import there."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    positions = wrapper.resolve(PositionProvider)
    at = 0
    for index, statement in enumerate(wrapper.module.body):
        if positions[statement].start.line < before and _is_import(statement):
            at = index + 1
    return at


def _with_imports(module: cst.Module, imports: dict[str, str], at: int) -> cst.Module:
    """Imports for names the script does not have yet, above the statement of number `at`."""
    root = "tensorflow.keras" if "tensorflow.keras" in module.code else "keras"
    missing = []
    for name, source in sorted(imports.items()):
        if not source:
            if not _imports_name(module, name):
                missing.append(cst.parse_statement(f"import {name}\n"))
            continue
        if source.startswith("keras"):
            source = root + source.removeprefix("keras")
        if not _imports_name(module, name):
            missing.append(cst.parse_statement(f"from {source} import {name}\n"))
    if not missing:
        return module
    body = list(module.body)
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
            if not isinstance(part, (cst.Import, cst.ImportFrom)):
                continue
            if not isinstance(part.names, cst.ImportStar):
                for alias in part.names:
                    bound = alias.asname.name if alias.asname else alias.name
                    if isinstance(bound, cst.Name) and bound.value == name:
                        return True
    return False
