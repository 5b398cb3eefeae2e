"""The benchmark of cleaning: three methods, the same words, and ours the fastest."""

from __future__ import annotations

from benchmarks import cleaning

from autonoe_nace.text import Preparation, load_rules


def test_the_peers_give_the_same_words_and_ours_is_faster_than_the_stock_method() -> None:
    texts = cleaning.corpus(size=2_000)
    assert texts == cleaning.corpus(size=2_000)
    rules = load_rules("fr")
    expected = Preparation(rules).all(texts)
    assert 0 < expected.count("") < 100
    stock, plain = cleaning.stock_method(rules), cleaning.plain_rewrite(rules)
    assert stock(texts) == expected
    assert plain(texts) == expected
    ours = cleaning._speed(Preparation(rules).all, texts)
    assert ours > 25_000
    assert ours > 5 * cleaning._speed(stock, texts)
