"""Training every layer: flags set to True, lists of layers made known, the optimizer given all."""

from __future__ import annotations

import libcst as cst

from whyfit.patching.placing import Request, calls_of
from whyfit.records.finding import Change
from whyfit.syntax import frozen
from whyfit.syntax.edits import CannotPlace, argument_of


def keras(request: Request, _change: Change) -> None:
    """`trainable` True wherever the script says False."""
    if not _flags_on(request):
        raise CannotPlace("set trainable to True for every layer, before compile")


def torch(request: Request, _change: Change) -> None:
    """Flags that are off, or lists that hide layers from `parameters()`, or `net.out.parameters()` as
    `net.parameters()`.
    """
    if _flags_on(request) or _lists_known(request):
        return
    if not any(call.role == "optimizer" for call in request.fit.calls):
        raise CannotPlace("update the weights of every layer, by hand")
    request.edits.rewritten.append((calls_of(request, "optimizer")[0].place, _given_all))


def _flags_on(request: Request) -> bool:
    found = frozen.flags_off(request.source)
    on = cst.Name("True")
    request.edits.expressions += [(place, lambda _off: on) for place in found]
    return bool(found)


def _lists_known(request: Request) -> bool:
    """Whether layers that are not trained stand in plain lists; these become `nn.ModuleList`."""
    layers = request.fit.recipe.layers if request.fit.recipe else ()
    made = [
        call.place
        for call in request.fit.calls
        if call.role == "layer" and not layers[call.index].trainable
    ]
    lists = frozen.lists_of(request.source, made)
    owner = "nn" if "nn.Linear" in request.source else "torch.nn"
    if lists and owner == "torch.nn":
        request.edits.imports["torch"] = ""

    def known(plain: cst.BaseExpression) -> cst.BaseExpression:
        return cst.parse_expression(f"{owner}.ModuleList({cst.Module([]).code_for_node(plain)})")

    request.edits.expressions += [(place, known) for place in lists]
    return bool(lists)


def _given_all(call: cst.Call) -> cst.BaseExpression:
    given = argument_of(call, "params", ("params",))
    match given.value if given is not None else None:
        case cst.Call(func=cst.Attribute(value=part, attr=cst.Name(value="parameters")) as asked):
            whole = _root(part)
        case _:
            raise CannotPlace("give the optimizer the weights of every layer, by hand")
    if given is None or whole is part:
        raise CannotPlace(
            "give the optimizer the weights of every layer, by hand: the layers that it does not train "
            "are no part of the model whose parameters() it is given"
        )
    every = cst.Call(func=asked.with_changes(value=whole))
    arguments = [each.with_changes(value=every) if each is given else each for each in call.args]
    return call.with_changes(args=arguments)


def _root(part: cst.BaseExpression) -> cst.BaseExpression:
    """`net` of `net.out` or `net.layers[2]`; of `self.net.out` it is `self.net`."""
    while isinstance(part, (cst.Attribute, cst.Subscript)):
        if isinstance(part.value, cst.Name) and part.value.value == "self":
            break
        part = part.value
    return part
