"""The rules of trying again, without waiting."""

import pytest

from promptpo.client.errors import FleetError
from promptpo.client.retrying import retrying


class Away:
    """A call that fails some times."""

    def __init__(self, failures: list[FleetError]) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self, left_s: float | None) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def away(retry_after_s: float | None = None) -> FleetError:
    return FleetError("ROLLOUT_UNAVAILABLE", "no answer", retry_after_s=retry_after_s)


def test_pauses_grow_and_stop_growing() -> None:
    pauses: list[float] = []
    call = Away([away() for _ in range(9)])
    assert retrying(call, timeout_s=None, patience_s=1e9, sleep=pauses.append) == "done"
    for at, pause in enumerate(pauses):
        most = min(5.0, 0.1 * 2.0**at)
        assert most / 2 <= pause <= most


def test_the_servers_own_wish_is_honoured_when_it_is_longer() -> None:
    pauses: list[float] = []
    retrying(Away([away(30.0)]), timeout_s=None, patience_s=60, sleep=pauses.append)
    assert pauses == [30.0]


@pytest.mark.parametrize("reason", ["INVALID_ARGUMENT", "BUDGET_EXHAUSTED", "DEADLINE_EXCEEDED", "INTERNAL"])
def test_what_will_never_succeed_is_not_tried_again(reason: str) -> None:
    call = Away([FleetError(reason, "no")])
    with pytest.raises(FleetError):
        retrying(call, timeout_s=None, patience_s=60, sleep=lambda _: None)
    assert call.calls == 1


def test_patience_ends() -> None:
    call = Away([away() for _ in range(100)])
    with pytest.raises(FleetError):
        retrying(call, timeout_s=None, patience_s=1.0, sleep=lambda _: None)
    assert 4 <= call.calls <= 7


def test_a_pause_that_does_not_fit_into_the_time_left_is_not_begun() -> None:
    call = Away([away(10.0)])
    with pytest.raises(FleetError):
        retrying(call, timeout_s=5.0, patience_s=60, sleep=lambda _: None)
    assert call.calls == 1


def test_without_patience_there_is_one_attempt() -> None:
    call = Away([away()])
    with pytest.raises(FleetError):
        retrying(call, timeout_s=5.0, patience_s=0, sleep=lambda _: None)
    assert call.calls == 1
