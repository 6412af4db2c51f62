"""The notebook: it runs on a stored run without a screen, shows its figures, and is committed clean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("matplotlib")
pytest.importorskip("ipykernel")

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "error_analysis.ipynb"


def run(state: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Run the notebook in `folder` on `state` and return what its cells showed."""
    from nbclient import NotebookClient

    monkeypatch.setenv("TRADEGUARD_STATE", str(state))
    monkeypatch.setenv("MPLCONFIGDIR", str(folder))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=60, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output for output in outputs if output["output_type"] in {"stream", "error"}] == []
    return [output["data"] for output in outputs]


def test_the_notebook_plots_a_stored_run(
    stored_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both figures and all three tables are there, of the errors that were really stored."""
    shown = run(stored_run, tmp_path, monkeypatch)
    figures = [data["image/png"] for data in shown if "image/png" in data]
    assert len(figures) == 2
    assert all(len(figure) > 20_000 for figure in figures)
    tables = [data["text/html"] for data in shown if "text/html" in data]
    assert "UNKNOWN" in tables[0]
    assert "ExchangeNotAvailable" in tables[1]


def test_the_notebook_is_committed_clean() -> None:
    """No output, no run count and no foreign kernel is in the repository, and each cell has its explanation."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert notebook.metadata.kernelspec.name == "python3"
    assert sum(cell.cell_type == "markdown" for cell in notebook.cells) >= 4
