"""Every error that Millrace raises on purpose: one sentence of what, where and what to do next.

::

    MillraceError                exit 1   something failed; the store is as it was
    ├── UsageError               exit 2   the command, recipe or argument is wrong
    │   ├── RecipeError                   a recipe key, type or value
    │   ├── ContractError                 a data contract file is not one
    │   ├── NotFresh                      --only S, but something before S is not fresh
    │   └── NotFound                      no such run, step, document or folder
    ├── InputError               exit 1   the source cannot be read as a whole (missing, empty)
    ├── StoreError               exit 1   the store cannot be read or written
    │   ├── Damaged                       a receipt, manifest or partition is not what was written
    │   ├── OtherFormat                   a record is whole, and of another version's format
    │   ├── DiskFull                      no room, before or during a step
    │   ├── ReadOnlyHome                  the home cannot be written
    │   └── LeaseLost                     another run took over this partition
    ├── StepFailed               exit 1   a step raised; carries step and partition key
    ├── NotReproducible          exit 1   --force gave other rows than before
    ├── OutputChanged            exit 1   the code changed, the output too, VERSION did not
    ├── RowsUnaccounted          exit 1   ids(in) is not kept + dropped + quarantined + retired
    ├── ContractViolation        exit 3   a contract's stop rule is broken
    └── WaitingForPerson         exit 4   an approval is due

Messages are shown to people as they are: they name the thing, the place and the next action.
"""


class MillraceError(Exception):
    """The root: anything that ends a command with one sentence instead of a traceback."""

    exit_code = 1


class UsageError(MillraceError):
    """The command, recipe or argument is wrong; nothing was started."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe has an unknown key, a wrong type or an impossible value."""


class ContractError(UsageError):
    """A data contract file is not one that the standard, or Millrace, understands."""


class NotFresh(UsageError):
    """``--only`` was asked for a step whose upstream is not fresh."""


class NotFound(UsageError):
    """The named run, step, document or folder does not exist."""


class InputError(MillraceError):
    """A source cannot be read as a whole: it is missing, empty or not what it is said to be."""


class StoreError(MillraceError):
    """The store cannot be read or written."""


class Damaged(StoreError):
    """A receipt, manifest or partition is not what was written."""


class OtherFormat(StoreError):
    """A record is what was written, in a format that this version does not read."""


class DiskFull(StoreError):
    """There is no room for what a step writes."""


class ReadOnlyHome(StoreError):
    """The home cannot be written."""


class LeaseLost(StoreError):
    """Another run took over this partition while we were computing it."""


class StepFailed(MillraceError):
    """A step raised an error that is not ours; the message names step and partition."""


class NotReproducible(MillraceError):
    """Computing a partition again gave other rows; the old ones were kept."""


class OutputChanged(MillraceError):
    """A step's code changed and so did its output, but not its ``VERSION``."""


class RowsUnaccounted(MillraceError):
    """A document went in and came out nowhere, or came out twice."""


class ContractViolation(MillraceError):
    """A ``stop`` rule of a data contract is broken."""

    exit_code = 3


class WaitingForPerson(MillraceError):
    """The run waits for an approval."""

    exit_code = 4
