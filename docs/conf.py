"""Sphinx: the pages of this folder, as they are written for reading in the repository."""

project = "TradeGuard"
author = "The TradeGuard authors"
copyright = "2026, the TradeGuard authors"  # noqa: A001 - Sphinx's own name
extensions = ["myst_parser"]
html_theme = "furo"
myst_heading_anchors = 3
exclude_patterns = ["README.md"]
suppress_warnings = ["myst.xref_missing"]  # links to source files are for the repository
