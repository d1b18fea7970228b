"""Several reports as one, and a plugin's report whose failures name it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textforge.errors import PluginError, StopTraining, TextforgeError
from textforge.training.events import EpochResult, Progress, RunStart, Sample
from textforge.training.report import Report

if TYPE_CHECKING:
    from textforge.model import Model
    from textforge.plugins.registry import Plugins
    from textforge.training.checkpoint import Checkpoint


class Forwarding(Report):
    """A report that sends every event on; a subclass decides to whom, in `send`."""

    def send(self, event: str, *arguments: Any) -> None:
        """Send an event, a method's name, and its arguments."""
        raise NotImplementedError

    def message(self, text: str) -> None:
        self.send("message", text)

    def start(self, run: RunStart) -> None:
        self.send("start", run)

    def step(self, progress: Progress) -> None:
        self.send("step", progress)

    def epoch(self, result: EpochResult, model: Model) -> None:
        self.send("epoch", result, model)

    def samples(self, samples: Sequence[Sample]) -> None:
        self.send("samples", samples)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        self.send("checkpoint", checkpoint)

    def finish(self) -> None:
        self.send("finish")


class Reports(Forwarding):
    """Several reports, told in order. Where one stops the run, the others are told of the event first."""

    def __init__(self, reports: Sequence[Report]) -> None:
        self._reports = tuple(reports)

    def send(self, event: str, *arguments: Any) -> None:
        raised: StopTraining | None = None
        for report in self._reports:
            try:
                getattr(report, event)(*arguments)
            except StopTraining as stop:
                raised = raised or stop
        if raised is not None:
            raise raised

    def finish(self) -> None:
        """Finish every report, and then raise what the first that failed raised."""
        failures = [error for error in map(_finish, self._reports) if error is not None]
        if failures:
            raise failures[0]


def _finish(report: Report) -> Exception | None:
    try:
        report.finish()
    except StopTraining:  # the run is over already
        return None
    except Exception as error:  # the other reports have files to close too
        return error
    return None


class PluginReport(Forwarding):
    """A plugin's report; an error raised in it names the plugin.

    Raises `PluginError` for anything but a `TextforgeError` or `StopTraining`.
    """

    def __init__(self, report: Report, source: str) -> None:
        self._report = report
        self._source = source

    def send(self, event: str, *arguments: Any) -> None:
        try:
            getattr(self._report, event)(*arguments)
        except (TextforgeError, StopTraining):
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            raise PluginError(
                f"the report {self._report.spec}, by {self._source}, failed in {event}(): "
                f"{type(error).__name__}: {reason}"
            ) from error


def make_reports(reports: str | Report | Sequence[str | Report] | None, plugins: Plugins) -> list[Report]:
    """Return the reports that were asked for: specs, objects, or several of them.

    Raises `PluginError` for anything else, and what a report raises as it is made.

    >>> make_reports(None, plugins=None)
    []
    """
    if reports is None:
        return []
    several = [reports] if isinstance(reports, (str, Report)) or not isinstance(reports, Sequence) else reports
    return [_make_report(report, plugins) for report in several]


def _make_report(report: str | Report, plugins: Plugins) -> Report:
    made: Report = plugins.report(report)
    sources = [found.source.title for found in plugins.components("report") if found.cls is type(made)]
    return PluginReport(made, sources[0]) if sources else made
