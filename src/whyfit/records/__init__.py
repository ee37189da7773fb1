"""Frozen records: what every other layer passes on. numpy only."""
