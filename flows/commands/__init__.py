"""One file per sub-command: ``add_arguments(parser)`` and ``execute(options) -> (value, text)``.

``value`` is what ``--json`` prints (its ``exit_code``, if any, ends the command), ``text`` is what
people read.
"""
