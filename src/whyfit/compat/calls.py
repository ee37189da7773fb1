"""The rewriting behind `compat`: which calls and imports are Keras's, and their modern form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libcst as cst
from libcst import matchers
from libcst.helpers import get_full_name_for_node
from libcst.metadata import PositionProvider, QualifiedNameProvider

from whyfit.compat import backend, names
from whyfit.compat.modern import Modern
from whyfit.compat.wrappers import keras_regressor
from whyfit.syntax.arguments import code_of, given, is_none, without
from whyfit.syntax.decays import decays, with_schedule

CLASSES = (
    # keras/engine/sequential.py of 2.5: Sequential.predict_classes
    "(lambda found: found.argmax(axis=-1) if found.shape[-1] > 1 else "
    '(found > 0.5).astype("int32"))'
)


class Modernizer(cst.CSTTransformer):
    """Rewrites what is Keras's, and notes each change; every line stays where it is."""

    METADATA_DEPENDENCIES = (QualifiedNameProvider, PositionProvider)

    def __init__(self, *, keep_tensorflow: bool) -> None:
        super().__init__()
        self.changes: list[Modern] = []
        self._keep_tensorflow = keep_tensorflow
        self._star = self._uses_schedules = self._other_tensorflow = False
        self._ops, self._metrics, self._wants_ops = "ops", set[str](), False

    # ---- what is Keras's ----

    def visit_Module(self, node: cst.Module) -> None:
        for each in matchers.findall(node, matchers.ImportFrom(names=matchers.ImportStar())):
            module = get_full_name_for_node(each.module) if each.module else ""  # type: ignore[attr-defined]
            self._star = self._star or (module or "").split(".")[0] == "keras"
        for call in matchers.findall(node, matchers.Call()):
            assert isinstance(call, cst.Call)
            if self._class_of(call.func) in names.OPTIMIZERS and decays(call):
                self._uses_schedules = self._uses_schedules or isinstance(call.func, cst.Name)
            self._look_at_backend(call)
        if any(matchers.findall(node, matchers.Name("ops"))):
            self._ops = "keras_ops"
        for name in matchers.findall(node, matchers.Attribute(value=matchers.Name())):
            found = self._name(name)
            if found is not None and found.startswith("tensorflow."):
                self._other_tensorflow |= not found.startswith(names.TENSORFLOW)

    def _look_at_backend(self, call: cst.Call) -> None:
        """Note whether keras.ops has to be imported, and which metrics the script compiles."""
        if isinstance(call.func, cst.Attribute) and isinstance(call.func.value, cst.Name):
            self._wants_ops |= self._gone(call.func) in backend.MOVED
        metrics = given(call, "metrics")
        for each in matchers.findall(metrics, matchers.SimpleString()) if metrics else ():
            if isinstance(each, cst.SimpleString):
                self._metrics.add(str(each.evaluated_value))

    def _gone(self, node: cst.CSTNode) -> str:
        """The name of a function of keras.backend; TensorFlow still has them all in its own."""
        whole = self._name(node) or ""
        if self._keep_tensorflow and whole.startswith("tensorflow."):
            return ""
        name = self._keras_name(node) or ""
        return name.removeprefix("keras.backend.") if name.startswith("keras.backend.") else ""

    def _name(self, node: cst.CSTNode) -> str | None:
        """The full name of what a name stands for, with `tensorflow.keras` left as it is."""
        found = self.get_metadata(QualifiedNameProvider, node, set())
        return next((each.name for each in found), None) if found else None

    def _keras_name(self, node: cst.CSTNode) -> str | None:
        """The full name below keras, or None for what is not Keras's."""
        name = self._name(node)
        if name is None and self._star and isinstance(node, cst.Name):
            return f"keras.{node.value}"
        for each in names.TENSORFLOW:
            if name is not None and name.startswith(f"{each}."):
                name = name.removeprefix(each.removesuffix("keras"))
        return name if name is not None and name.startswith("keras.") else None

    def _class_of(self, node: cst.CSTNode) -> str | None:
        name = self._keras_name(node)
        return _modern_class(name.split(".")[-1]) if name else None

    def _note(self, node: cst.CSTNode, old: str, new: str, **kind: bool) -> None:
        place: Any = self.get_metadata(PositionProvider, node)
        self.changes.append(Modern(place.start.line, place.end.line, old, new, **kind))

    # ---- calls ----

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        kind = self._class_of(original_node.func)
        if kind in ("KerasRegressor", "KerasClassifier"):
            self._note(original_node, f"{kind}(build_fn, ...)", _wrapper_of(kind))
            return keras_regressor(self._renamed(original_node, updated_node, names.FIT_ARGUMENTS))
        if kind in names.OPTIMIZERS:
            return self._optimizer(original_node, updated_node, kind)
        if kind is not None and kind[:1].isupper():
            arguments = names.LAYER_ARGUMENTS_OF.get(kind, names.LAYER_ARGUMENTS)
            return self._renamed(original_node, updated_node, arguments)
        gone = self._gone(original_node.func)
        if gone in backend.SAID:
            self._note(original_node, f"keras.backend.{gone}", backend.SAID[gone])
        elif gone in backend.MOVED and isinstance(updated_node.func, cst.Attribute):
            return self._backend(original_node, updated_node, gone)
        if isinstance(updated_node.func, cst.Attribute):
            return self._method(original_node, updated_node, updated_node.func.attr.value)
        return updated_node

    def _backend(self, original: cst.Call, call: cst.Call, name: str) -> cst.BaseExpression:
        """`K.mean(x)` as `ops.mean(x)`, and `keras.backend.mean(x)` as `keras.ops.mean(x)`."""
        assert isinstance(call.func, cst.Attribute)  # the caller asks
        whole = code_of(call.func.value)
        ops = f"{whole.removesuffix('backend')}ops" if whole.endswith(".backend") else self._ops
        changed, new = backend.modern_call(name, call, ops)
        self._note(original, f"keras.backend.{name}", new)
        return changed

    def leave_Subscript(
        self, original_node: cst.Subscript, updated_node: cst.Subscript
    ) -> cst.BaseExpression:
        """`history.history['acc']`, where Keras 3 names the metric as `compile` did."""
        match original_node:
            case cst.Subscript(
                value=cst.Attribute(attr=cst.Name(value="history")),
                slice=[cst.SubscriptElement(slice=cst.Index(value=cst.SimpleString() as key))],
            ):
                new = backend.modern_key(str(key.evaluated_value), self._metrics)
                if new is not None:
                    code = f"{key.quote}{new}{key.quote}"
                    self._note(original_node, f"history[{key.value}]", f"history[{code}]")
                    return updated_node.with_deep_changes(_key_of(updated_node), value=code)
            case _:
                pass
        return updated_node

    def _method(self, original: cst.Call, call: cst.Call, method: str) -> cst.BaseExpression:
        if method in ("predict_classes", "predict_proba"):
            plain = call.with_deep_changes(call.func, attr=cst.Name("predict"))  # type: ignore[arg-type]
            if method == "predict_proba":
                self._note(original, "predict_proba", "predict")
                return plain
            new = "predict(x) > 0.5 for one output, predict(x).argmax(axis=-1) for several"
            self._note(original, "predict_classes", new)
            return cst.Call(cst.parse_expression(CLASSES), [cst.Arg(plain)])
        if method in ("fit", "fit_generator"):
            if method == "fit_generator" and not given(original, "samples_per_epoch"):
                self._note(original, "fit_generator", "fit")
                call = call.with_deep_changes(call.func, attr=cst.Name("fit"))  # type: ignore[arg-type]
            elif method == "fit_generator":
                # Samples became batches, whose size stands nowhere: said, not guessed.
                self._note(original, "fit_generator(samples_per_epoch=)", "fit(steps_per_epoch=)")
                return call
            call = self._renamed(original, call, names.FIT_ARGUMENTS)
            method = "fit"
        for name in names.DROPPED_ARGUMENTS.get(method, ()):
            if given(call, name):
                self._note(original, f"{name}=", "")
                call = without(call, name)
        return call

    def _renamed(self, original: cst.Call, call: cst.Call, arguments: dict[str, str]) -> cst.Call:
        changed = []
        for argument in call.args:
            old = argument.keyword.value if argument.keyword else ""
            if old in arguments:
                self._note(original, f"{old}=", f"{arguments[old]}=")
                argument = argument.with_changes(keyword=cst.Name(arguments[old]))
            changed.append(argument)
        return call.with_changes(args=changed)

    def _optimizer(self, original: cst.Call, call: cst.Call, kind: str) -> cst.Call:
        call = self._renamed(original, call, names.OPTIMIZER_ARGUMENTS)
        if is_none(given(call, "epsilon")):
            self._note(original, "epsilon=None", "", late=True)
            call = without(call, "epsilon")
        decay = given(call, "decay")
        if decay is None:
            return call
        if not decays(call):
            self._note(original, f"decay={code_of(decay.value)}", "", ignored=True)
            return without(call, "decay")
        modern, schedule = with_schedule(call, names.OPTIMIZERS[kind])
        self._note(
            original, f"decay={code_of(decay.value)}", f"learning_rate={schedule}", ignored=True
        )
        return modern

    # ---- imports and names ----

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.BaseSmallStatement:
        module = get_full_name_for_node(original_node.module) if original_node.module else None
        if module is None or original_node.relative:
            return updated_node
        modern = self._modern_module(module)
        if module == "tensorflow" and not self._keep_tensorflow:
            return self._keras_of_tensorflow(original_node, updated_node)
        if modern.split(".")[0] != "keras":
            return updated_node
        if modern != module:
            self._note(original_node, module, modern)
            updated_node = updated_node.with_changes(module=_dotted(modern))
        if isinstance(updated_node.names, cst.ImportStar):
            return updated_node
        return self._imported(original_node, updated_node, modern)

    def _modern_module(self, module: str) -> str:
        if not self._keep_tensorflow:
            for each in names.TENSORFLOW:
                if module == each or module.startswith(f"{each}."):
                    module = "keras" + module.removeprefix(each)
        if module == "keras.wrappers.scikit_learn":
            return "keras.wrappers"
        return names.MODULES.get(module, module)

    def _imported(
        self, original: cst.ImportFrom, node: cst.ImportFrom, module: str
    ) -> cst.BaseSmallStatement:
        aliases = list(node.names) if not isinstance(node.names, cst.ImportStar) else []
        for at, alias in enumerate(aliases):
            old = str(get_full_name_for_node(alias.name))
            kept = alias.asname or cst.AsName(cst.Name(old), cst.SimpleWhitespace(" "))
            whole = names.MODULES_AS_NAMES.get(f"{module}.{old}")
            if whole is not None and len(aliases) == 1:
                parent, _dot, last = whole.rpartition(".")
                self._note(original, f"{module}.{old}", whole)
                changed = alias.with_changes(name=cst.Name(last), asname=kept)
                return node.with_changes(module=_dotted(parent), names=[changed])
            new = names.IMPORTED.get(f"{module}.{old}")
            if module == "keras.wrappers" and old in ("KerasRegressor", "KerasClassifier"):
                new = _wrapper_of(old)
            if new is not None:
                self._note(original, old, new)
                aliases[at] = alias.with_changes(name=cst.Name(new), asname=kept)
        if module == "keras.optimizers" and self._uses_schedules:
            aliases = _with_name(aliases, "schedules")
        if module == "keras" and self._wants_ops and _imports(aliases, "backend"):
            aliases = _with_name(aliases, "ops", self._ops)
        if module == "keras.backend" and all(
            each.evaluated_name in backend.SAME for each in aliases
        ):
            for each in aliases:
                old = each.evaluated_name
                self._note(original, f"keras.backend.{old}", f"keras.ops.{old}")
            node = node.with_changes(module=_dotted("keras.ops"))
        return node.with_changes(names=aliases)

    def _keras_of_tensorflow(
        self, original: cst.ImportFrom, node: cst.ImportFrom
    ) -> cst.BaseSmallStatement:
        """`from tensorflow import keras`."""
        aliases = list(node.names) if not isinstance(node.names, cst.ImportStar) else []
        if len(aliases) != 1 or get_full_name_for_node(aliases[0].name) != "keras":
            return node
        self._note(original, "from tensorflow import keras", "import keras")
        return cst.Import([aliases[0]])

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import:
        if self._wants_ops and _imports(updated_node.names, "keras.backend", named=True):
            names_ = _with_name(updated_node.names, "keras.ops", self._ops)
            return updated_node.with_changes(names=names_)
        if self._keep_tensorflow:
            return updated_node
        changed = []
        for alias in updated_node.names:
            module = str(get_full_name_for_node(alias.name))
            if module.startswith(names.TENSORFLOW) and alias.asname is not None:
                modern = self._modern_module(module)
                self._note(original_node, module, modern)
                alias = alias.with_changes(name=_dotted(modern))
            elif module == "tensorflow" and not self._other_tensorflow:
                self._note(original_node, "import tensorflow", "import keras")
                alias = alias.with_changes(name=cst.Name("keras"), asname=None)
            changed.append(alias)
        return updated_node.with_changes(names=changed)

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.BaseExpression:
        name = self._name(original_node)
        if name in names.TENSORFLOW and not self._keep_tensorflow and not self._other_tensorflow:
            return cst.Name("keras")
        match original_node:
            case cst.Attribute(
                value=cst.Attribute(attr=cst.Name(value="optimizer")), attr=cst.Name(value="lr")
            ):
                self._note(original_node, "optimizer.lr", "optimizer.learning_rate")
                return updated_node.with_changes(attr=cst.Name("learning_rate"))
            case _:
                pass
        modern = names.IMPORTED.get(self._keras_name(original_node) or "")
        if modern is None:
            return updated_node
        self._note(original_node, updated_node.attr.value, modern)
        return updated_node.with_changes(attr=cst.Name(modern))


# ---- parts of a call ----


def _modern_class(name: str) -> str:
    return names.LOWER_OPTIMIZERS.get(name, name)


def _wrapper_of(kind: str) -> str:
    return "SKLearnRegressor" if kind == "KerasRegressor" else "SKLearnClassifier"


def _key_of(node: cst.Subscript) -> cst.CSTNode:
    """The one key of a subscript."""
    index = node.slice[0].slice
    assert isinstance(index, cst.Index)  # the caller has matched it
    return index.value


def _imports(aliases: Sequence[cst.ImportAlias], name: str, *, named: bool = False) -> bool:
    return any(
        each.evaluated_name == name and (each.asname is not None or not named) for each in aliases
    )


def _with_name(
    aliases: Sequence[cst.ImportAlias], name: str, short: str | None = None
) -> list[cst.ImportAlias]:
    if any(get_full_name_for_node(each.name) == name for each in aliases):
        return list(aliases)
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    last = aliases[-1]
    if not isinstance(last.comma, cst.Comma):
        last = last.with_changes(comma=comma)
    asname = None if short in (None, name) else cst.AsName(cst.Name(short))
    return [*aliases[:-1], last, cst.ImportAlias(_dotted(name), asname=asname)]


def _dotted(name: str) -> cst.Attribute | cst.Name:
    found = cst.parse_expression(name)
    assert isinstance(found, (cst.Attribute, cst.Name))  # it is a dotted name
    return found
