"""What is said into a call: heard as it was sent, kept as it was heard."""

from tests.outbound.conftest import MakeStage, noise, sha256


async def test_a_prompt_is_heard_as_it_is(make_stage: MakeStage) -> None:
    stage = await make_stage()
    pcm = noise(2.0)

    stage.play(pcm)
    report = await stage.until_heard(2.0)

    assert report["heard_sha256"] == sha256(pcm)
    assert report["underruns"] == 0
    assert report["max_queued_ms"] <= 250
    row = await stage.said("played")
    assert (row["played_ms"], row["underruns"]) == (2000, 0)
