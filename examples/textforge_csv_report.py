"""A report as a plugin: a row of a CSV file for each epoch, for a spreadsheet; stops a run that is good enough.

textforge train book.txt -o model/ --plugin examples/textforge_csv_report.py --report csv:losses.csv,enough=1.5
"""

import csv
from pathlib import Path

import textforge

COLUMNS = ("epoch", "step", "train_loss", "validation_loss", "learning_rate", "seconds", "best")


class CsvReport(textforge.Report):
    """Write a row for each epoch into a CSV file."""

    name = "csv"
    path: str = textforge.option(help="The file; what is in it is replaced.")
    enough: float = textforge.option(default=0.0, ge=0, help="Validation loss at which training stops.")

    def start(self, run):
        self.file = Path(self.path).open("w", encoding="utf-8", newline="")  # noqa: SIM115 -- closed by finish
        self.rows = csv.writer(self.file)
        self.rows.writerow(COLUMNS)

    def epoch(self, result, model):
        self.rows.writerow([getattr(result, column) for column in COLUMNS])
        self.file.flush()  # to be read while training goes on
        if result.validation_loss is not None and result.validation_loss <= self.enough:
            raise textforge.StopTraining(f"a validation loss of {result.validation_loss:.3f} is enough")

    def finish(self):
        if hasattr(self, "file"):
            self.file.close()


@textforge.hookimpl
def register_reports(register):
    register(CsvReport)
