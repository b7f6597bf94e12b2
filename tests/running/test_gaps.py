"""Is a rota that leaves nobody on call refused wherever the program reads the policy?"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.harness.house import POLICIES
from tests.running.program import Program

TOLD = "rotas.yaml:17: platform.layers: leave nobody on call from 2026-01-05 17:00 to 2026-01-06 09:00"


def test_a_gap_in_a_rota_is_refused_by_the_check_the_running_desk_and_a_start(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder)
    program = Program(tmp_path, DESKBELL_CONFIG=str(folder))
    rotas = (folder / "rotas.yaml").read_text(encoding="utf-8")
    whole = "turn: weekly, "
    hours = '{days: [mon, tue, wed, thu, fri, sat, sun], opens: "09:00", closes: "17:00"}'
    assert whole in rotas
    assert "version" in program.succeed("check")
    with program.serving() as desk:
        (folder / "rotas.yaml").write_text(
            rotas.replace(whole, f"{whole}hours: [{hours}], "), encoding="utf-8"
        )
        desk.wait_for("the last good one stays")
        assert TOLD in desk.said
        assert desk.stop()[0] == 0
    for command in ("check", "serve"):
        refused = program.run(command)
        assert refused.returncode == 1
        assert TOLD in refused.stderr
        assert "Traceback" not in refused.stderr
