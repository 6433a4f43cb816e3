"""Whether answers are right: read and compared after the load, never during it.

An answer is right, wrong, unreadable (it gives no answer, or several), or cut (it ended at the longest
length). Unreadable and cut ones count as wrong.
"""

from benchmark_tasks.grading.grades import GRADER, Verdict, right_answer, verdict_of

__all__ = ["GRADER", "Verdict", "right_answer", "verdict_of"]
