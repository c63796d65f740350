"""A user's module with a function that does what it is told, every bad thing among it."""

BAD = """
import ctypes, itertools, os, signal
import numpy as np

def start(seed):
    return np.linspace(-1, 1, 3) + seed

def f(w, how="fine", seed=0):
    if how == "exit":
        os._exit(3)
    if how == "segfault":
        ctypes.string_at(0)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "memory":
        np.ones(1 << 50)
    if how == "loop":
        while True:
            pass
    if how == "compiled":
        sum(itertools.repeat(0))
    if how == "generator":
        raise GeneratorExit
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "once" and not os.path.exists("been-here"):
        open("been-here", "w").close()
        os._exit(1)
    if how == "raises":
        raise ValueError("no")
    if how == "text":
        return "seven", w
    if how == "shape":
        return (w**2).sum(), w[:-1]
    return (w**2).sum(), 2 * w
"""
