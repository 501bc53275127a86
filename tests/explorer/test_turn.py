"""One at a time, and only the newest."""

import threading

import pytest

from linscape.explorer.turn import Turn


def test_the_newest_goes_and_the_older_hear_of_it():
    turn = Turn()
    for stamp, expected in ((2, True), (1, False), (2, True), (3, True), (2, False)):
        with turn.taken("a", stamp) as mine:
            assert mine is expected
    with turn.taken("another page", 1) as mine:
        assert mine


def test_one_that_waits_gives_up_when_a_newer_comes():
    turn = Turn()
    heard = {}

    def wait(stamp):
        with turn.taken("a", stamp) as mine:
            heard[stamp] = mine

    older, newer = (threading.Thread(target=wait, args=(stamp,)) for stamp in (1, 2))
    with turn.taken("b", 1):
        older.start()
        newer.start()
        older.join()  # while the turn is still another's
        assert heard == {1: False}
    newer.join()
    assert heard == {1: False, 2: True}


def test_an_error_passes_the_turn_on():
    turn = Turn()
    with pytest.raises(ZeroDivisionError), turn.taken("a", 1):
        _ = 1 / 0
    with turn.taken("a", 1) as mine:
        assert mine


def test_pages_that_left_are_forgotten():
    turn = Turn()
    for number in range(200):
        with turn.taken(str(number), 5):
            pass
    with turn.taken("0", 1) as mine:
        assert mine
    with turn.taken("199", 1) as mine:
        assert not mine
