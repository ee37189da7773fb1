"""`keras.wrappers.scikit_learn`: its calls in the form that Keras 3 takes.

KerasRegressor(build_fn, **arguments) gave those of `fit` to `fit` and the others to build_fn (keras
2.2, keras/wrappers/scikit_learn.py, filter_sk_params). SKLearnRegressor takes a function of X and y that
makes the model, `model_kwargs` for it, and `fit_kwargs` (keras/src/wrappers/sklearn_wrapper.py).
"""

from __future__ import annotations

import libcst as cst

FIT = ("epochs", "batch_size", "verbose", "callbacks", "validation_split", "shuffle")


def keras_regressor(call: cst.Call) -> cst.Call:
    """The call with its arguments sorted into model, `model_kwargs` and `fit_kwargs`.

    Unchanged where it has none that says what builds the model.
    """
    build = next(
        (each for each in call.args if each.keyword is None or each.keyword.value == "build_fn"),
        None,
    )
    if build is None or build.star:
        return call
    code = cst.Module([]).code_for_node(build.value)
    model = cst.parse_expression(f"lambda X, y, **given: ({code})(**given)")
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    sorted_ = [build.with_changes(value=model, keyword=None, equal=cst.MaybeSentinel.DEFAULT)]
    others = [each for each in call.args if each is not build and each.keyword is not None]
    for name, fits in (("fit_kwargs", True), ("model_kwargs", False)):
        given = [each for each in others if (each.keyword.value in FIT) is fits]  # type: ignore[union-attr]
        if given:
            inside = cst.Call(cst.Name("dict"), given)
            sorted_[-1] = sorted_[-1].with_changes(
                comma=sorted_[-1].comma if isinstance(sorted_[-1].comma, cst.Comma) else comma
            )
            sorted_.append(
                cst.Arg(
                    inside,
                    keyword=cst.Name(name),
                    equal=cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace("")),
                )
            )
    return call.with_changes(args=sorted_)
