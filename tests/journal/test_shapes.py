from decimal import Decimal
from typing import NamedTuple

import pytest

from bot.core.book import Book
from bot.core.history import RebalanceHistory
from bot.core.records import Record
from bot.core.units import Side
from bot.journal import shapes


class Leaf(NamedTuple):
    """A value of every simple kind."""

    amount: Decimal
    side: Side
    ratio: float
    name: str | None


class Tree:
    """An annotated class, as a projection may be."""

    leaves: tuple[Leaf, ...]
    by_number: dict[int, Leaf]
    names: frozenset[str]
    pair: tuple[int, str]
    either: Leaf | Decimal | None
    kept: list[bool]
    raw: bytes


def a_tree(either: Leaf | Decimal | None) -> Tree:
    """A tree that holds something of everything."""
    leaf = Leaf(Decimal("1.50"), Side.LONG, 0.1, None)
    tree = Tree()
    tree.leaves, tree.by_number = (leaf, leaf._replace(name="x")), {3: leaf}
    tree.names, tree.pair, tree.either, tree.kept = frozenset({"a", "b"}), (1, "b"), either, [True]
    tree.raw = bytes(range(256))
    return tree


@pytest.mark.parametrize("either", [None, Decimal("2.0"), Leaf(Decimal(1), Side.SHORT, 2.0, "y")])
def test_everything_comes_back_exactly(either: Leaf | Decimal | None) -> None:
    """Digits, kinds and members: what comes back is what went in."""
    tree = a_tree(either)
    again = shapes.load(Tree, shapes.dump(tree))
    assert vars(again) == vars(tree)
    assert repr(vars(again)["leaves"]) == repr(tree.leaves)


def test_book_and_history_come_back(story: tuple[Record, ...]) -> None:
    """At every place in a fund's story, in the middle of orders and rebalances too."""
    book, history = Book(), RebalanceHistory("BTCUP")
    for record in story:
        book.apply(record)
        history.apply(record)
        assert shapes.load(Book, shapes.dump(book)) == book
        assert vars(shapes.load(RebalanceHistory, shapes.dump(history))) == vars(history)


def test_a_field_without_a_form_is_found_when_it_is_written() -> None:
    """A projection that cannot be kept is a mistake of its author, told with the type."""

    class Odd:
        when: object

        def __init__(self) -> None:
            self.when = object()

    with pytest.raises(TypeError, match="object"):
        shapes.dump(Odd())


def test_a_field_that_a_class_does_not_declare_is_never_lost() -> None:
    """What would not come back is refused when it is written."""
    tree = a_tree(None)
    vars(tree)["more"] = 1
    with pytest.raises(TypeError, match="Tree does not say of what type its field more is"):
        shapes.dump(tree)
