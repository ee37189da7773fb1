"""What a call does besides training: it refuses, reports, lets others run, and can be stopped."""

from __future__ import annotations

import signal
import threading
import time

import numpy as np
import pytest

from tests import fits
from whyfit.engine import memory
from whyfit.engine.initializers import draw
from whyfit.engine.lanes import train
from whyfit.errors import UsageError


def long_work(units: tuple[int, ...] = (4,), samples: int = 10_000):
    """Hours of work: it ends only if it is stopped."""
    recipe = fits.recipe(units, epochs=10_000_000)
    return recipe, *fits.sine(samples), draw(recipe, 0, 0, 32)


def test_refuses_what_cannot_fit(monkeypatch: pytest.MonkeyPatch):
    recipe = fits.recipe((1000, 100), epochs=1, inputs=20)
    x, y = np.zeros((64, 20)), np.zeros((64, 1))
    starts = np.zeros((32, recipe.parameters), dtype=np.float32)
    monkeypatch.setattr(memory, "available", lambda: 40 * memory.MEGABYTE)
    with pytest.raises(UsageError) as refusal:
        train(recipe, x, y, starts, threads=2)
    assert "training 32 networks of 121201 weights needs" in str(refusal.value)
    assert "40 MB are free; use fewer threads" in str(refusal.value)
    monkeypatch.setattr(memory, "available", lambda: 1000 * memory.MEGABYTE)
    train(recipe, x, y, starts, threads=2)


def test_refuses_results_that_cannot_fit(monkeypatch: pytest.MonkeyPatch):
    recipe = fits.recipe((4,), epochs=1000)
    x, y = fits.sine(32)
    starts = np.zeros((10_000, recipe.parameters), dtype=np.float32)
    monkeypatch.setattr(memory, "available", lambda: 50 * memory.MEGABYTE)
    with pytest.raises(UsageError, match="77 MB of memory, and 50 MB are free; ask for fewer"):
        train(recipe, x, y, starts, history=True)


def test_the_free_memory_of_this_machine():
    there = memory.available()
    assert there is None or 2**20 < there < 2**46


def test_a_container_limits_what_is_free(monkeypatch: pytest.MonkeyPatch, tmp_path):
    limit, used = tmp_path / "max", tmp_path / "current"
    limit.write_text("3000000\n")
    used.write_text("1000000\n")
    monkeypatch.setattr(memory, "GROUP_LIMITS", ((str(limit), str(used)),))
    assert memory.available() == 2_000_000
    limit.write_text("max\n")
    assert memory.available() != 2_000_000


@pytest.mark.parametrize(("units", "samples"), [((4,), 10_000), ((256, 256), 2000)])
def test_progress_rises_and_a_callback_may_stop_the_work(units: tuple[int, ...], samples: int):
    """Also while an epoch lasts longer than the time between two calls."""
    recipe, x, y, starts = long_work(units, samples)
    seen: list[int] = []

    def stop_after_four(steps: int) -> None:
        seen.append(steps)
        if len(seen) == 4:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        train(recipe, x, y, starts, progress=stop_after_four)
    assert seen == sorted(set(seen)), "no progress between two calls"


def test_one_long_step_is_given_up_in_the_middle():
    recipe = fits.recipe((1024, 1024), "silu", batch_size=200, epochs=1)
    x, y = fits.sine(200)
    starts = draw(recipe, 0, 0, 16)
    began = time.process_time()
    train(recipe, x, y, starts, threads=1)
    whole = time.process_time() - began
    told: list[float] = []

    def stop(_steps: int) -> None:
        told.append(time.process_time())
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        train(recipe, x, y, starts, threads=1, progress=stop)
    assert len(told) == 1, "the step was over before it could be stopped"
    # In the middle: a fifth of the step on a quiet machine, a third where another shares its caches.
    assert time.process_time() - told[0] < 0.7 * whole


def test_control_c_stops_it():
    recipe, x, y, starts = long_work()
    began = time.monotonic()

    def give_up_at_last(_steps: int) -> None:
        if time.monotonic() - began > 30:
            raise RuntimeError("it was not stopped")

    # A shell lets what it starts in the background ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,)).start()
        with pytest.raises(KeyboardInterrupt):
            train(recipe, x, y, starts, progress=give_up_at_last)
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_run_meanwhile():
    recipe, x, y, starts = long_work()
    counted, stop = 0, threading.Event()

    def stop_when_asked(_steps: int) -> None:
        if stop.is_set():
            raise RuntimeError("enough")

    def work() -> None:
        with pytest.raises(RuntimeError, match="enough"):
            train(recipe, x, y, starts, threads=1, progress=stop_when_asked)

    worker = threading.Thread(target=work)
    worker.start()
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        counted += 1
    stop.set()
    worker.join(timeout=30)
    assert not worker.is_alive()
    assert counted > 1000
