"""bfloat16 convolutions: chosen by the device, no part of a run's key, and near float32 step by step."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, TINY
from ten_steps import ten_steps

from siamese_utils.config import key_hash, load_experiment, load_profile, run_key
from siamese_utils.training import precision


@pytest.fixture
def processor(monkeypatch):
    """Makes this processor have bfloat16 instructions or not, and leaves the rewriter as it was."""
    before = precision.convolutions_in_use()
    yield lambda *names: monkeypatch.setattr(precision, "bfloat16_instructions", lambda: names)
    monkeypatch.undo()
    if before == "float32":
        precision.choose_convolutions("float32")


def test_it_is_chosen_where_the_processor_has_the_instructions(processor, recwarn):
    processor("avx512_bf16")
    assert precision.choose_convolutions("auto") == precision.convolutions_in_use() == "bfloat16"
    assert precision.choose_convolutions("float32") == precision.convolutions_in_use() == "float32"
    processor()
    assert precision.choose_convolutions("auto") == precision.convolutions_in_use() == "float32"
    assert not recwarn.list


def test_asked_for_in_vain_it_is_ignored_with_one_line(processor):
    processor()
    with pytest.warns(UserWarning, match="stay in float32: bfloat16 takes TensorFlow on a processor with") as said:
        assert precision.choose_convolutions("bfloat16") == "float32"
    assert len(said) == 1
    assert "\n" not in str(said[0].message)


def test_it_is_no_part_of_a_runs_key():
    paper, baseline = load_profile("paper"), load_experiment("baseline")
    keys = {
        key_hash(run_key(baseline, paper.model_copy(update={"convolutions": wanted}), 0, "pixels"))
        for wanted in ("auto", "float32", "bfloat16")
    }
    assert len(keys) == 1


@pytest.mark.slow
def test_ten_steps_in_bfloat16_are_within_half_a_percent_of_float32(tmp_path):
    """oneDNN computes in bfloat16 on any processor with AVX-512, if slowly: the rewriter is forced here."""
    if "avx512f" not in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        pytest.skip("oneDNN computes in bfloat16 on processors with AVX-512 only")
    exact = ten_steps("tensorflow", tmp_path)["losses"]
    rounded = ten_steps("tensorflow", tmp_path, force_bfloat16=True)["losses"]
    assert exact != rounded, "the rewriter did nothing"
    np.testing.assert_allclose(rounded, exact, rtol=5e-3)


def test_onednn_itself_says_that_it_computes_in_bfloat16(tmp_path):
    if not precision.bfloat16_instructions():
        pytest.skip("this processor has no bfloat16 instructions")
    command = [sys.executable, "-m", "siamese_utils", "run", "baseline", "-p", str(TINY)]
    env = {**os.environ, "ONEDNN_VERBOSE": "1", "SIAMESE_REPORTS_DIR": str(tmp_path)}
    ways = {}
    for wanted in ("bfloat16", "float32"):
        env["SIAMESE_REPORTS_DIR"] = str(tmp_path / wanted)
        done = subprocess.run(
            [*command, "--convolutions", wanted, "--until", "2"],
            cwd=ROOT, env=env, check=True, capture_output=True, text=True,
        )  # fmt: skip
        ways[wanted] = [line for line in done.stdout.splitlines() if "exec" in line and "convolution" in line]
    assert any("avx512_core_bf16" in line or "amx" in line for line in ways["bfloat16"])
    assert not any("bf16" in line for line in ways["float32"])
