"""A small version of every shipped experiment has the answers of the whole one."""

import pytest

import backproof

SMALL = {
    "clip_edges": ("seed=0,1,2",),
    "clipping": ("seed=0,1",),
    "harm": ("activation=tanh", "seed=range(0,4)"),
    "pairs": ("seed=range(0,4)",),
}
"""What makes each small: few replicates, short training where no statement is about its end."""

SHORT_OF_SEEDS = {"underpowered"}
"""What a statement on a difference may be with few seeds, instead of confirmed."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_small_version_confirms_what_the_whole_one_does(program, here, name):
    done = program("sweep", f"experiment={name}", *SMALL[name], "engine=serial")
    assert done.status == 0, done.err
    claims = backproof.load(here / "results" / name).claims
    on_differences = claims["difference"].notna()
    wrong = claims[
        (claims["status"] != "confirmed") & ~(on_differences & claims["status"].isin(SHORT_OF_SEEDS))
    ]
    assert wrong.empty, wrong.to_string()
