"""Which number an answer gives, however it is written; nothing is guessed."""

from __future__ import annotations

from fractions import Fraction

import pytest

from benchmark_tasks.grading.numbers import read_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", 42),
        ("Answer: 42", 42),
        ("Answer: 42.", 42),
        ("**Answer: 42**", 42),
        ("The answer is 42 km.", 42),
        ("The answer is 42km", 42),
        ("The answer is $42.", 42),
        ("The answer is \\$42.50!", Fraction("42.5")),
        ("#### 42", 42),
        ("6*7 = 42\n#### 42 apples", 42),
        (r"\boxed{42}", 42),
        (r"so $\boxed{42}$ apples, of 7 kinds", 42),
        (r"\boxed{\$1,234.50}", Fraction("1234.5")),
        (r"\boxed{x = 7}", 7),
        (r"\boxed{\frac{3}{4}}", Fraction(3, 4)),
        (r"\boxed{-\dfrac{3}{4}}", Fraction(-3, 4)),
        (r"\boxed{\frac34}", Fraction(3, 4)),
        (r"\boxed{42\%}", 42),
        (r"\boxed{12\text{ cm}}", 12),
        (r"\boxed{1.5 \times 10^{3}}", 1500),
        ("Answer: 1,234", 1234),
        ("Answer: 1,234,567.89", Fraction("1234567.89")),
        ("Answer: 12,34,567", 1234567),
        ("Answer: 1.234.567", 1234567),
        ("Answer: 1.234,56", Fraction("1234.56")),
        ("Answer: 1 234 567", 1234567),
        ("Answer: 1\u202f234", 1234),
        ("Answer: 1'234", 1234),
        ("Answer: 3,5", Fraction("3.5")),
        ("Answer: 0,125", Fraction("0.125")),
        ("Answer: .5", Fraction("0.5")),
        ("Answer: -5", -5),
        ("Answer: −5", -5),
        ("Answer: minus 5", -5),
        ("Answer: -$5", -5),
        ("Answer: $-5", -5),
        ("Answer: +5", 5),
        ("Answer: 3/4", Fraction(3, 4)),
        ("Answer: -3/4", Fraction(-3, 4)),
        ("Answer: 1 3/4 cups", Fraction(7, 4)),
        ("Answer: 1½", Fraction(3, 2)),
        ("Answer: ¾", Fraction(3, 4)),
        ("Answer: 1.5e3", 1500),
        ("Answer: 1.5 × 10^3", 1500),
        ("Answer: 10³", 1000),
        ("Answer: 5 + 3 = 8", 8),
        ("Answer: 42 (that is 6 x 7)", 42),
        ("Answer: 42, because 6 x 7", 42),
        ("Answer: ４２", 42),
        ("Answer: ٤٢", 42),
        ("Answer: ४२", 42),
        ("答案是42", 42),
        ("Answer: 2 million", 2_000_000),
        ("Answer: 2 million", 2),
        ("Answer: 45%", 45),
        ("Answer: 45%", Fraction("0.45")),
        ("Answer: 41. No, wait. The answer is 42.", 42),
        ("He has 3 + 4 = 7 apples, and buys 35 more, which makes 42.", 42),
        ("<think>Answer: 41</think>42", 42),
        ("Answer: 0.3333333", Fraction(1, 3)),
        ("The result is 42", 42),
        ("Answer:\n42", 42),
    ],
)
def test_a_number_is_read(text: str, number: int | Fraction) -> None:
    read, right = read_number(text), read_number(str(number))
    assert read is not None and right is not None and read.is_same(right)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "I do not know.",
        "Answer: forty-two",
        "Answer: 3 or 4",
        "Answer: 3, 4",
        "Answer: 10-3",
        "Answer: 5 + 3",
        r"\boxed{3, 4}",
        r"\boxed{}",
        r"\boxed{42",
        "Answer: 3:30",
        "Answer: 1.2.3",
        "Answer: 1/0",
        "Answer: " + "9" * 500,
        "Answer: 1e999999999",
        "x2 and CO2",
        "<think>It is 42",
    ],
)
def test_what_gives_no_number_or_several_is_unreadable(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("42", "-42"),
        ("42", "42.1"),
        ("1,234", "1.234"),
        ("45%", "4500%"),
        ("2 million", "2 billion"),
        ("1/3", "0.33"),
        ("0", "0.1"),
    ],
)
def test_other_numbers_are_not_the_same(one: str, other: str) -> None:
    read = read_number(one), read_number(other)
    assert read[0] is not None and read[1] is not None and not read[0].is_same(read[1])


def test_long_texts_are_read_in_time_that_grows_with_them() -> None:
    read = read_number("1 " * 50_000 + "\nAnswer: 7")
    assert read is not None and read.value == 7
    assert read_number("1" * 100_000) is None
    assert read_number("1,1." * 30_000) is None
