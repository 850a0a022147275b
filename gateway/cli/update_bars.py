"""The bars that `hearthgate update` shows: one a board."""

from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, Task, TextColumn


class _OnceKnown(ProgressColumn):
    """What another column shows, once it is known how much there is to load: a board that has it already loads none."""

    def __init__(self, column: ProgressColumn) -> None:
        super().__init__()
        self._column = column

    def render(self, task: Task) -> RenderableType:
        return self._column(task) if task.total else ""


def update_bars(console: Console) -> Progress:
    """Bars whose tasks have a field `state`: words for how far the board is."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        _OnceKnown(BarColumn()),
        _OnceKnown(DownloadColumn(binary_units=True)),
        TextColumn("{task.fields[state]}", markup=False),
        console=console,
    )
