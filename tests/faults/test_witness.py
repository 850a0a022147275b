from tools.chaos_witness import read


def test_sealed_and_promised():
    witness = read(["s 1 1 10\n", "s 1 2 20\n", "p 1 1\n", "s 2 1 30\n"])
    assert witness.sealed == {(1, 1): [10], (1, 2): [20], (2, 1): [30]}
    assert witness.accepted == {(1, 1)}
    assert not witness.reused


def test_an_ack_is_a_promise_too():
    witness = read(["s 1 1 10\n", "s 1 2 20\n", "a 1 2\n"])
    assert witness.accepted == {(1, 1), (1, 2)}


def test_a_promise_never_shrinks():
    assert read(["s 1 1 1\n", "s 1 2 2\n", "p 1 2\n", "p 1 1\n"]).accepted == {(1, 1), (1, 2)}


def test_one_number_with_two_contents():
    witness = read(["s 1 1 10\n", "s 1 1 10\n", "s 1 2 20\n", "s 1 2 21\n"])
    assert witness.reused == [(1, 2)]


def test_what_could_not_be_kept_was_not_sealed():
    assert read(["s 1 1 10\n", "u 1 1\n"]).sealed == {}
    witness = read(["s 1 1 10\n", "u 1 1\n", "s 1 1 11\n"])
    assert witness.sealed == {(1, 1): [11]}
    assert not witness.reused


def test_a_line_that_a_kill_cut_says_nothing():
    witness = read(["s 1 1 10\n", "p 1 1"])
    assert witness.unread == 1
    assert witness.accepted == set()
    # The next life begins with an end of line: what was cut becomes a line that cannot be right or is.
    assert read(["s 1\n", "\n", "s 2 1 5\n"]).sealed == {(2, 1): [5]}


def test_what_is_not_understood_is_counted():
    assert read(["z 1 1\n", "s one 1 1\n", "p 1\n", "q 1 2\n", "s\n"]).unread == 5


def test_dropped_quiet_and_orders():
    witness = read(["d 1 1\n", "d 1 4\n", "q 1\n", "x cut 40\n"])
    assert witness.dropped == {1: 4}
    assert witness.quiet == {1}
    assert witness.orders == ["cut 40"]


def test_which_ack_came_before_which_frame():
    witness = read(["s 1 1 10\n", "s 1 2 20\n", "a 1 1\n", "s 2 1 5\n", "a 1 2\n", "s 2 2 6\n"])
    assert witness.acked_before((1, 1), (2, 1))
    assert not witness.acked_before((1, 2), (2, 1))
    assert witness.acked_before((1, 2), (2, 2))
    assert not witness.acked_before((2, 1), (2, 2))
