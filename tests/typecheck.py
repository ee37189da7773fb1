"""The run-time type checker of the tests: beartype, where an int is also a float."""

from beartype import BeartypeConf, beartype

checker = beartype(conf=BeartypeConf(is_pep484_tower=True))
