"""Loads a module of native (viper) functions as plain Python, where the port has no native emitter."""


def _same(array):
    """What viper's pointer casts are to plain code: nothing."""
    return array


def load(name):
    """Run the source of module `name`, beside this file, with its decorators taken away; return its functions."""
    here = __file__[: -len("plain.py")] if "/" in __file__ else ""
    with open(here + name + ".py") as f:
        source = f.read()
    source = source.replace("@micropython.viper\n", "").replace("import micropython\n", "")
    space = {"ptr8": _same, "ptr32": _same, "__name__": name}
    exec(source, space)  # our own file, beside this one: nothing from outside is run

    class Module:
        pass

    for key, value in space.items():
        if callable(value):
            setattr(Module, key, staticmethod(value))
    return Module
