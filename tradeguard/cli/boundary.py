"""Where errors of the command line end: one clear line on stderr and an exit code, and no traceback.

==== =================================================================================
code meaning
==== =================================================================================
0    the command did what it was asked to
1    the guarded run of a demo did not pass its audit, or a recovery left an order in doubt
2    bad input: an option, a file, a port, a key or a setting that cannot be used
70   anything else; `--debug` shows where it came from (EX_SOFTWARE of sysexits)
130  interrupted
==== =================================================================================
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from typer.core import TyperGroup

from tradeguard.exceptions import ConfigurationException
from tradeguard.redaction import redact

__all__ = ["BAD_INPUT", "INTERRUPTED", "UNEXPECTED", "OneLineErrors", "exit_code_of", "sentence_of"]

BAD_INPUT = 2
UNEXPECTED = 70
INTERRUPTED = 130

# ccxt's classes by their names, since ccxt takes half a second to import and may not even be needed.
_REFUSALS = frozenset({"ArgumentsRequired", "AuthenticationError", "BadSymbol", "NotSupported"})

# How Typer checks values shows in its messages.
_PYDANTIC = "Value error, "


@runtime_checkable
class _UsageError(Protocol):
    """What Typer raises for a command line that it does not understand."""

    ctx: Any

    def format_message(self) -> str: ...


class OneLineErrors(TyperGroup):
    """The group of all commands; what they raise ends in one line."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command that `args` names and exit with its code."""
        arguments = sys.argv[1:] if args is None else list(args)
        if not standalone_mode:
            return super().main(arguments, prog_name, complete_var, False, windows_expand_args, **extra)
        try:
            result = super().main(arguments, prog_name, complete_var, False, windows_expand_args, **extra)
        except Exception as error:  # noqa: BLE001 - the outermost place: the line below tells what it was
            if "--debug" in arguments:
                traceback.print_exception(error)
            print(f"tradeguard: {sentence_of(error)}", file=sys.stderr)  # noqa: T201
            sys.exit(exit_code_of(error))
        if result == INTERRUPTED:
            print("tradeguard: interrupted", file=sys.stderr)  # noqa: T201
        sys.exit(result if isinstance(result, int) else 0)


def exit_code_of(error: BaseException) -> int:
    """Return the exit code that an error ends the process with."""
    names = {cls.__name__ for cls in type(error).__mro__}
    if isinstance(error, _UsageError | ConfigurationException | OSError) or names & _REFUSALS:
        return BAD_INPUT
    return UNEXPECTED


def sentence_of(error: BaseException) -> str:
    """Return one line that says what went wrong, without secrets."""
    if isinstance(error, _UsageError):
        # A usage error without a context was raised by code, not by the parser.
        command = getattr(error.ctx, "command_path", None)
        hint = f" (see: {command} --help)" if command else ""
        return f"{_one_line(error.format_message()).replace(_PYDANTIC, '')}{hint}"
    if isinstance(error, ConfigurationException):
        return _one_line(str(error))
    if isinstance(error, OSError) and error.strerror:
        return _one_line(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    if isinstance(error, ImportError):
        return f"{_one_line(str(error))}; a package is missing from this installation"
    hint = "" if exit_code_of(error) == BAD_INPUT else " (--debug shows where)"
    return f"{type(error).__name__}: {_one_line(str(error))}{hint}"


def _one_line(text: str) -> str:
    return redact(" ".join(text.split()))
