"""`cli.output`: a command whose result cannot be written does not begin."""

from __future__ import annotations

import pytest

from kitwai.cli.main import main


@pytest.mark.parametrize("benchmark", ["step", "reaction", "clusters", "calibrate", "fidelity"])
@pytest.mark.parametrize("out", ["none/x", "folder", "/dev/null"])
def test_no_benchmark_begins_whose_figures_cannot_be_written(place, benchmark, out, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["bench", benchmark, "--json", out])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"argument --json: {out} cannot be written" in line
