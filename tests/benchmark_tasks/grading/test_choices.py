"""Which letter an answer chooses, however it says so; nothing is guessed."""

from __future__ import annotations

import pytest

from benchmark_tasks.grading.choices import read_choice


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("B.", "B"),
        ("B) Paris", "B"),
        ("B. Paris is the capital", "B"),
        ("(B) Paris\nbecause it is.", "B"),
        ("Answer: (B)", "B"),
        ("answer: b", "B"),
        ("ANSWER : B", "B"),
        ("Answer:\nB", "B"),
        ("Answer:\n\n(B) Paris", "B"),
        ("**Answer: B**", "B"),
        ("**Answer:** **(B)**.", "B"),
        ("The correct answer is **(B)**", "B"),
        ("The correct answer to this question would be option B.", "B"),
        ("The answer is: B) 4", "B"),
        ("the answer is therefore (B)!", "B"),
        ("`B`", "B"),
        (r"\boxed{B}", "B"),
        (r"So $\boxed{\text{B}}$.", "B"),
        (r"\boxed{(B)}", "B"),
        (r"\boxed{\textbf{(B)}\ 4}", "B"),
        (r"\(\boxed{\mathrm{B}}\)", "B"),
        (r"First \boxed{A}, no: \boxed{B}", "B"),
        ("Answer: A. No, wait. The answer is (B).", "B"),
        ("<think>Answer: A?</think>\nAnswer: B", "B"),
        ("Let me see. A is too small.\nB", "B"),
        ("It is Paris.\n\n(B)", "B"),
        ("Option B is correct, because of this and that.", "B"),
        ("(B) is the right one.", "B"),
        ("Not (A), so the only one that fits is (B)", "B"),
        ("I would choose option B here", "B"),
        ("Ａｎｓｗｅｒ： （Ｂ）", "B"),
        ("答案是 B", "B"),
        ("Réponse : B", "B"),
        ("Answer: A", "A"),
        ("Answer: A because it is small", "A"),
        ("The answer is A.", "A"),
        ("Answer: (B) Paris, which is also in (A)", "B"),
        ("Final Answer: B: Paris", "B"),
        ("Answer - B\nAnswer: (D)", "D"),
    ],
)
def test_a_choice_is_read(text: str, letter: str) -> None:
    assert read_choice(text, 4) == letter


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "I do not know.",
        "Answer: (letter)",
        "Answer: (E)",
        "Answer: Z",
        r"\boxed{E}",
        r"\boxed{B",
        "Answer: A or B",
        "Answer: (A) and (B)",
        "Answer: A, B",
        "Answer: A/B",
        r"\boxed{A, C}",
        "(A) fits, and so does (B), in a way",
        "Answer: a dog",
        "A dog is an animal.",
        "Answer: A man in a boat",
        "Answer: Paris",
        "Answer: 2",
        "Answer:",
        "The answer is not (A).",
        "It is not (A)",
        "<think>Answer: B, but let me check",
        "Bananas",
        "I think that is it",
        "((((((((((",
        "答案",
    ],
)
def test_what_chooses_no_letter_or_several_is_unreadable(text: str) -> None:
    assert read_choice(text, 4) is None


def test_there_are_as_many_letters_as_choices() -> None:
    assert read_choice("Answer: J", 10) == "J"
    assert read_choice("Answer: C", 2) is None


def test_long_texts_are_read_in_time_that_grows_with_them() -> None:
    assert read_choice("(A) " * 20_000 + "\nAnswer: (C)", 4) == "C"
    assert read_choice("answer " * 20_000, 4) is None
    assert read_choice("(" * 50_000, 4) is None
