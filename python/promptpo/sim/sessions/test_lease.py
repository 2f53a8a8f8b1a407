"""A lease by a clock that the test sets."""

from __future__ import annotations

from promptpo.sim.sessions.lease import HANGS_AFTER_S, Lease


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_every_request_renews_it() -> None:
    clock = Clock()
    lease = Lease(10.0, clock)
    clock.now += 9.0
    assert lease.left_s() == 1.0
    lease.begin()
    clock.now += 30.0
    assert lease.left_s() == 10.0  # it does not lapse while a step is carried out
    lease.end()
    clock.now += 9.0
    assert (lease.left_s(), lease.look_again_in_s()) == (1.0, 1.0)
    clock.now += 2.0
    assert lease.left_s() < 0


def test_a_renewal_counts_from_now_and_no_step_shortens_it() -> None:
    clock = Clock()
    lease = Lease(10.0, clock)
    lease.renew(60.0)
    lease.begin()
    lease.end()
    assert lease.left_s() == 60.0
    lease.renew(2.0)
    assert lease.left_s() == 2.0
    lease.renew_at_least()
    assert lease.left_s() == 10.0


def test_a_step_that_does_not_end() -> None:
    clock = Clock()
    lease = Lease(10.0, clock)
    lease.begin()
    clock.now += HANGS_AFTER_S
    assert not lease.hangs()
    assert lease.look_again_in_s() == 0.0
    clock.now += 0.1
    assert lease.hangs()
    lease.end()
    assert not lease.hangs()
